/// What the ledgers hold against what the text says.
struct Comparison: Sendable {
    /// Records that a ledger should have and has not.
    private(set) var lost = 0
    /// Records that a ledger has too often.
    private(set) var doubled = 0
    /// Everything that differs, field by field.
    private(set) var differences: [String] = []

    init(expected: [Totals], actual: [Totals]) {
        precondition(expected.count == actual.count, "there are as many ledgers as expectations")
        for (index, (expected, actual)) in zip(expected, actual).enumerated() {
            let missing = expected.records - actual.records
            lost += max(0, missing)
            doubled += max(0, -missing)
            differences += Self.differences(expected, actual).map { "ledger-\(index + 1): \($0)" }
        }
    }

    private static func differences(_ expected: Totals, _ actual: Totals) -> [String] {
        var lines: [String] = []
        func compare<Value: Equatable>(_ name: String, _ expected: Value, _ actual: Value) {
            if expected != actual { lines.append("\(name) is \(actual), expected \(expected)") }
        }
        compare("records", expected.records, actual.records)
        compare("bytes", expected.bytes, actual.bytes)
        compare("words", expected.words, actual.words)
        compare("sum", expected.sum, actual.sum)
        compare("digest", expected.digest, actual.digest)
        for letter in Set(expected.letters.keys).union(actual.letters.keys).sorted() {
            compare("letters[\(letter)]", expected.letters[letter] ?? 0, actual.letters[letter] ?? 0)
        }
        return lines
    }
}
