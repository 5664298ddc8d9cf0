/// A text cut into records, each with the ledger that it belongs to.
struct RecordText: Sendable {
    /// A record and the number of its ledger.
    struct Record: Sendable {
        var text: String
        var ledger: Int
    }

    /// The longest record that is accepted; more would not fit into one call.
    static let recordBytesMax = 16 << 20

    /// The records in the order of the text.
    let records: [Record]

    /// Cuts a text: into paragraphs if blank lines separate any, into lines otherwise. Bytes that are not UTF-8 are
    /// replaced.
    /// - Parameters:
    ///   - bytes: The text.
    ///   - ledgers: Among how many ledgers the records are divided, by the hash of the key: a paragraph's first line,
    ///     a line's first word.
    init(_ bytes: [UInt8], ledgers: Int) throws(Failure) {
        let lines = Self.lines(bytes)
        var paragraphs: [Range<Int>] = []
        var start: Int?
        for (index, line) in lines.enumerated() {
            if line.isEmpty {
                if let first = start.take() { paragraphs.append(first..<index) }
            } else if start == nil {
                start = index
            }
        }
        if let start { paragraphs.append(start..<lines.count) }
        let isCutByLine = paragraphs.count < 2
        let pieces = isCutByLine ? (paragraphs.first ?? 0..<0).map { $0..<($0 + 1) } : paragraphs
        var records: [Record] = []
        records.reserveCapacity(pieces.count)
        for piece in pieces {
            let first = lines[piece.lowerBound]
            let text = bytes[first.lowerBound..<lines[piece.upperBound - 1].upperBound]
            guard text.count <= Self.recordBytesMax else {
                throw Failure(
                    "record \(records.count + 1) of the input has \(text.count) bytes; at most "
                        + "\(Self.recordBytesMax) are allowed"
                )
            }
            let key = isCutByLine ? Self.firstWord(bytes[first]) : bytes[first]
            let ledger = Int(StableHash.of(key) % UInt64(ledgers))
            records.append(Record(text: String(decoding: text, as: UTF8.self), ledger: ledger))
        }
        self.records = records
    }

    /// What each ledger has to know after it was given its records this often.
    func expected(ledgers: Int, passes: Int) -> [Totals] {
        var totals = Array(repeating: Totals(), count: ledgers)
        for record in records { totals[record.ledger].add(Measure(record.text), times: passes) }
        return totals
    }

    /// The places of the lines without their ends; a line of white space only is empty.
    private static func lines(_ bytes: [UInt8]) -> [Range<Int>] {
        bytes.withUnsafeBufferPointer { bytes in
            var lines: [Range<Int>] = []
            var start = 0
            var end = 0
            for index in 0...bytes.count {
                if index == bytes.count || bytes[index] == 0x0a {
                    lines.append(start..<max(start, end))
                    start = index + 1
                } else if !isSpace(bytes[index]) {
                    end = index + 1
                }
            }
            return lines
        }
    }

    private static func firstWord(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        line.drop(while: isSpace).prefix { !isSpace($0) }
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }
}
