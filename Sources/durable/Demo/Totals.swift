/// What a ledger knows of the records that it was given; the order in which they came makes no difference.
struct Totals: Codable, Sendable, Hashable {
    /// How many records.
    var records = 0
    /// Their bytes in UTF-8.
    var bytes = 0
    /// Their words, separated by white space.
    var words = 0
    /// The sum of all runs of digits in them, read as numbers, modulo 2^64.
    var sum: UInt64 = 0
    /// The sum of their hashes, modulo 2^64.
    var digest: UInt64 = 0
    /// How many records begin with each letter or digit, ASCII only; all others count under `other`.
    var letters: [String: Int] = [:]

    /// Adds one record, several times if need be.
    mutating func add(_ record: Measure, times: Int = 1) {
        let factor = UInt64(times)
        records += times
        bytes += record.bytes * times
        words += record.words * times
        sum &+= record.sum &* factor
        digest &+= record.digest &* factor
        letters[record.letter, default: 0] += times
    }

    /// Adds what other totals hold.
    mutating func add(_ other: Totals) {
        records += other.records
        bytes += other.bytes
        words += other.words
        sum &+= other.sum
        digest &+= other.digest
        letters.merge(other.letters, uniquingKeysWith: +)
    }
}

/// What one record adds to the totals.
struct Measure: Sendable, Hashable {
    var bytes = 0
    var words = 0
    var sum: UInt64 = 0
    var digest: UInt64
    var letter = "other"

    /// Measures a record.
    init(_ record: String) {
        var isInWord = false
        var number: UInt64 = 0
        digest = StableHash.start
        for byte in record.utf8 {
            bytes += 1
            digest = StableHash.add(byte, to: digest)
            let isSpace = byte == 0x20 || (0x09...0x0d).contains(byte)
            if !isSpace, !isInWord { words += 1 }
            isInWord = !isSpace
            if (0x30...0x39).contains(byte) {
                number = number &* 10 &+ UInt64(byte - 0x30)
            } else {
                sum &+= number
                number = 0
            }
        }
        sum &+= number
        if let first = record.utf8.first { letter = Self.letter(first) }
    }

    private static func letter(_ byte: UInt8) -> String {
        switch byte {
        case 0x30...0x39, 0x41...0x5a: String(UnicodeScalar(byte))
        case 0x61...0x7a: String(UnicodeScalar(byte - 0x20))
        default: "other"
        }
    }
}

/// FNV-1a with 64 bits: the same on every machine and in every process, unlike Swift's own hashes.
enum StableHash {
    /// The hash of nothing.
    static let start: UInt64 = 0xcbf2_9ce4_8422_2325

    /// The hash of what was hashed before and one more byte.
    static func add(_ byte: UInt8, to hash: UInt64) -> UInt64 { (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }

    /// The hash of a text.
    static func of(_ text: some Sequence<UInt8>) -> UInt64 { text.reduce(start) { add($1, to: $0) } }
}
