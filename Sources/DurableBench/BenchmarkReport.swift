package import CBOR

/// What one run of a benchmark found, for people and as JSON.
public struct BenchmarkReport: Sendable {
    /// One line of a table.
    public struct Figure: Sendable {
        /// The unit of durations in reports for people.
        package static let milliseconds = "milliseconds"

        /// What was measured.
        public let name: String
        /// What the numbers count; lines of one unit stand in one table.
        public let unit: String
        /// Numbers by name, in the order of the table's columns; one that is not finite is shown as a dash.
        public let values: [(column: String, value: Double)]

        /// Makes a line.
        /// - Parameters:
        ///   - name: What was measured.
        ///   - unit: What the numbers count.
        ///   - values: The numbers, with their columns' names.
        public init(name: String, unit: String = "microseconds", values: [(column: String, value: Double)]) {
            self.name = name
            self.unit = unit
            self.values = values
        }

        /// The percentiles of a summary, in milliseconds, and what else belongs to the line.
        package init(_ name: String, _ summary: LatencySummary, adding others: [(column: String, value: Double)] = []) {
            let columns: [LatencyStatistic] = [.p50, .p99, .p999, .max]
            self.init(
                name: name,
                unit: Self.milliseconds,
                values: columns.map { ($0.rawValue, summary.value(of: $0).inMilliseconds) } + others
            )
        }
    }

    /// Its name on the command line.
    public let benchmark: String
    /// What it answers.
    public let question: String
    /// How it was run.
    public let parameters: [(name: String, value: String)]
    /// What it was run on.
    public let machine: BenchmarkMachine
    /// The load average before the run.
    public let loadBefore: Double
    /// The load average after it.
    public let loadAfter: Double
    /// What was found.
    public let figures: [Figure]
    /// What one has to know to read the figures.
    public let notes: [String]

    /// Makes a report of a run that has just ended.
    /// - Parameters:
    ///   - benchmark: Its name on the command line.
    ///   - question: What it answers; empty when it is said elsewhere.
    ///   - parameters: How it was run.
    ///   - machine: What it was run on, looked at before it.
    ///   - loadBefore: ``BenchmarkMachine/load`` before the run.
    ///   - figures: What was found.
    ///   - notes: What one has to know to read them.
    public init(
        benchmark: String,
        question: String = "",
        parameters: [(name: String, value: String)],
        machine: BenchmarkMachine,
        loadBefore: Double,
        figures: [Figure],
        notes: [String]
    ) {
        self.benchmark = benchmark
        self.question = question
        self.parameters = parameters
        self.machine = machine
        self.loadBefore = loadBefore
        loadAfter = BenchmarkMachine.load
        self.figures = figures
        self.notes = notes
    }

    /// How it was run, in one line.
    package var settings: String { parameters.map { "\($0.name) \($0.value)" }.joined(separator: ", ") }

    /// The machine and what else it did, in one line.
    package var circumstances: String {
        "\(machine.line), load \(Self.rounded(loadBefore)) before and \(Self.rounded(loadAfter)) after"
    }

    /// The units of the figures, each once.
    package var units: [String] {
        figures.reduce(into: []) { units, figure in
            if !units.contains(figure.unit) { units.append(figure.unit) }
        }
    }

    /// Question, circumstances and tables, for people.
    public var text: String {
        var lines = ["\(benchmark): \(settings)"]
        if !question.isEmpty { lines.append(question) }
        lines += [circumstances, ""]
        for unit in units { lines += [Self.table(of: figures.filter { $0.unit == unit }, unit: unit), ""] }
        return (lines.dropLast() + notes).joined(separator: "\n") + "\n"
    }

    /// One JSON object, for programs.
    public var json: String { get throws { try json(adding: []) } }

    /// One JSON object with members of the caller's own.
    package func json(adding others: [(name: String, value: CBORValue)], pretty: Bool = true) throws -> String {
        let figures = figures.map { figure in
            Self.object([
                ("name", .text(figure.name)), ("unit", .text(figure.unit)),
                ("values", Self.object(figure.values.map { ($0.column, Self.number($0.value)) })),
            ])
        }
        var members: [(String, CBORValue)] = [
            ("benchmark", .text(benchmark)), ("question", .text(question)),
            ("parameters", Self.object(parameters.map { ($0.name, .text($0.value)) })),
            ("date", .text(machine.date)), ("processor", .text(machine.processor)),
            ("cores", .unsigned(UInt64(machine.coreCount))), ("kernel", .text(machine.kernel)),
            ("swift", .text(machine.swiftVersion)), ("release", .bool(machine.isOptimised)),
            ("load", .array([Self.number(loadBefore), Self.number(loadAfter)])),
            ("notes", .array(notes.map { .text($0) })), ("figures", .array(figures)),
        ]
        members += others.map { ($0.name, $0.value) }
        return try CBORDiagnostic.json(CBOREncoder().encode(Self.object(members)), pretty: pretty)
    }

    /// Lines of one unit as columns of text.
    package static func table(of figures: [Figure], unit: String) -> String {
        let columns = figures.first?.values.map(\.column) ?? []
        let rows = [[unit] + columns] + figures.map { [$0.name] + $0.values.map { rounded($0.value) } }
        let widths = (0...columns.count).map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            zip(row, widths).enumerated().map { index, cell in
                let padding = String(repeating: " ", count: cell.1 - cell.0.count)
                return index == 0 ? cell.0 + padding : padding + cell.0
            }.joined(separator: "  ")
        }.joined(separator: "\n")
    }

    /// A number for people: three digits are more than such figures can carry.
    package static func rounded(_ value: Double) -> String {
        guard value.isFinite else { return "-" }
        let scale: Double = value < 10 ? 100 : value < 100 ? 10 : 1
        let shown = (value * scale).rounded() / scale
        return scale == 1 ? String(Int(shown)) : String(shown)
    }

    private static func number(_ value: Double) -> CBORValue { value.isFinite ? .float(value) : .null }

    private static func object(_ members: [(String, CBORValue)]) -> CBORValue {
        .map(members.map { CBORValue.Entry(.text($0.0), $0.1) })
    }
}
