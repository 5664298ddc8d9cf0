internal import DurableCore

/// Columns of text for people.
struct Table {
    private var rows: [[String]]

    init(_ header: [String]) { rows = [header] }

    /// Cells hold names and messages that others have chosen; none of them leaves its line or reaches the terminal raw.
    mutating func add(_ row: [String]) { rows.append(row.map(\.onOneLine)) }

    /// The rows, with each column as wide as its widest cell.
    var text: String {
        var widths: [Int] = []
        for row in rows {
            for (column, cell) in row.enumerated() {
                if column == widths.count { widths.append(0) }
                widths[column] = max(widths[column], cell.count)
            }
        }
        return rows.map { row in
            let cells = row.enumerated().map { column, cell in
                column == row.count - 1 ? cell : cell.padded(to: widths[column])
            }
            return cells.joined(separator: "  ") + "\n"
        }.joined()
    }
}

extension String {
    /// The text with spaces behind it, up to a width.
    func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}

extension Duration {
    /// Milliseconds with two places, for people.
    var shown: String {
        let hundredths = Int((self / .microseconds(10)).rounded())
        let fraction = hundredths % 100
        return "\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction) ms"
    }
}
