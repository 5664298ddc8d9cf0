internal import Glibc

/// What one run of a benchmark found, for people and as JSON.
struct Report {
    /// One line of the table.
    struct Figure {
        /// What was measured.
        let name: String
        /// What the numbers count; lines of one unit stand in one table.
        var unit = "microseconds"
        /// Medians over the rounds, or percentiles over all of them, by name and in the order of the table's columns.
        let values: [(column: String, value: Double)]
    }

    let benchmark: String
    let parameters: [(name: String, value: String)]
    let machine: Machine
    let loadBefore: Double
    let figures: [Figure]
    let notes: [String]

    /// Prints the table and, when a file is named, writes the JSON.
    func publish(json path: String?) throws {
        print(table)
        guard let path else { return }
        guard let file = fopen(path, "w") else { throw BenchmarkError(path, code: errno) }
        fputs(json + "\n", file)
        guard fclose(file) == 0 else { throw BenchmarkError(path, code: errno) }
    }

    private var table: String {
        let settings = parameters.map { "\($0.name) \($0.value)" }.joined(separator: ", ")
        var lines = [
            "\(benchmark): \(settings)",
            "\(machine.date), \(machine.coreCount) cores, \(machine.processor), Linux \(machine.kernel), "
                + "Swift \(machine.swiftVersion), \(machine.isOptimised ? "release" : "DEBUG BUILD: the figures mean nothing"), "
                + "load \(rounded(loadBefore)) before and \(rounded(Machine.load)) after",
            "",
        ]
        var units: [String] = []
        for figure in figures where !units.contains(figure.unit) { units.append(figure.unit) }
        for unit in units { lines += rows(of: unit) + [""] }
        return (lines.dropLast() + notes).joined(separator: "\n") + "\n"
    }

    /// The lines of the table of one unit.
    private func rows(of unit: String) -> [String] {
        let figures = figures.filter { $0.unit == unit }
        let columns = figures.first?.values.map(\.column) ?? []
        let rows = [[unit] + columns] + figures.map { [$0.name] + $0.values.map { rounded($0.value) } }
        let widths = (0...columns.count).map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            zip(row, widths).enumerated().map { index, cell in
                let padding = String(repeating: " ", count: cell.1 - cell.0.count)
                return index == 0 ? cell.0 + padding : padding + cell.0
            }.joined(separator: "  ")
        }
    }

    private var json: String {
        let settings = parameters.map { "\(quoted($0.name)): \(quoted($0.value))" }
        let rows = figures.map { figure in
            let values = figure.values.map { "\(quoted($0.column)): \(number($0.value))" }
            let texts = "\(quoted("name")): \(quoted(figure.name)), \(quoted("unit")): \(quoted(figure.unit))"
            return "    {\(texts), \(values.joined(separator: ", "))}"
        }
        return """
            {
              "benchmark": \(quoted(benchmark)),
              "parameters": {\(settings.joined(separator: ", "))},
              "date": \(quoted(machine.date)),
              "processor": \(quoted(machine.processor)),
              "cores": \(machine.coreCount),
              "kernel": \(quoted(machine.kernel)),
              "swift": \(quoted(machine.swiftVersion)),
              "release": \(machine.isOptimised),
              "load": [\(number(loadBefore)), \(number(Machine.load))],
              "notes": [\(notes.map(quoted).joined(separator: ", "))],
              "figures": [
            \(rows.joined(separator: ",\n"))
              ]
            }
            """
    }

    /// Three digits are more than these figures can carry.
    private func rounded(_ value: Double) -> String {
        guard value.isFinite else { return "-" }
        let scale: Double = value < 10 ? 100 : value < 100 ? 10 : 1
        let shown = (value * scale).rounded() / scale
        return scale == 1 ? String(Int(shown)) : String(shown)
    }

    private func number(_ value: Double) -> String { value.isFinite ? String(value) : "null" }

    private func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": result += "\\\(scalar)"
            case _ where scalar.value < 0x20: result += " "
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
