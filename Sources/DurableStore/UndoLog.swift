internal import CBOR
internal import DurableCore
internal import Glibc

/// What a commit replaces of an actor's rows, so that it can be undone.
struct UndoLog {
    /// A row as it was.
    struct Row: Hashable {
        /// Where it is.
        enum Place: UInt8, Hashable { case state = 0, entries = 1 }

        var place: Place
        var key: [UInt8]
        /// `nil` when there was none.
        var old: [UInt8]?
    }

    /// Row sets from here on are made by the commit itself: undoing it makes them unreachable, rows and all.
    let firstNewRows: RowSetID
    private(set) var rows: [Row] = []
    /// Row sets that the commit makes unreachable. They are kept until no state that is kept needs them.
    var discards: [RowSetID] = []
    var calls: [CallID] = []
    private var seen: Set<Row> = []

    init(firstNewRows: RowSetID) { self.firstNewRows = firstNewRows }

    /// Whether the rows of a set that is discarded must stay for the states before.
    mutating func keeps(_ rows: RowSetID) -> Bool {
        guard rows < firstNewRows else { return false }
        if !discards.contains(rows) { discards.append(rows) }
        return true
    }

    /// Whether a row that is about to be replaced is to be noted: the first time, and unless its set is new.
    mutating func wants(_ place: Row.Place, _ key: [UInt8]) -> Bool {
        if place == .entries, RowSetID(bigEndian: key) >= firstNewRows { return false }
        return seen.insert(Row(place: place, key: key, old: nil)).inserted
    }

    mutating func add(_ place: Row.Place, _ key: [UInt8], old: [UInt8]?) {
        rows.append(Row(place: place, key: key, old: old))
    }
}

extension UInt64 {
    /// The number at the beginning of a key.
    init(bigEndian key: some Sequence<UInt8>) { self = key.prefix(8).reduce(0) { $0 << 8 | UInt64($1) } }
}

extension UndoLog.Row {
    func encoded() -> [UInt8] {
        var writer = ByteWriter(reserving: 8 + key.count + (old?.count ?? 0))
        writer.write(place.rawValue)
        writer.write(UInt16(key.count))
        writer.write(raw: key)
        writer.write(UInt8(old == nil ? 0 : 1))
        if let old { writer.write(raw: old) }
        return StoredValue.seal(writer.bytes)
    }

    init(decoding value: [UInt8]) throws(MalformedBytes) {
        var reader = ByteReader(try StoredValue.open(value).payload)
        guard let place = Place(rawValue: try reader.readByte()) else {
            throw MalformedBytes("a row of the history belongs to no database")
        }
        self.place = place
        key = Array(try reader.read(count: Int(try reader.read(UInt16.self))))
        old = try reader.readByte() == 1 ? Array(reader.readRest()) : nil
        try reader.finish()
    }
}

/// What the history says of a commit.
package struct HistoryEntry: Sendable, Hashable, Codable {
    /// When it was, in milliseconds since 1970 by the wall clock.
    package var milliseconds: Int64
    /// The calls whose changes it stored: session and number.
    package var calls: [String]
    /// How many rows it replaced.
    package var rows: Int
    /// Row sets that it made unreachable.
    package var discards: [RowSetID]
    /// The version that the actor was put back to, when it was that.
    package var putBackTo: UInt64?

    func encoded() throws -> [UInt8] { StoredValue.seal(try CBOREncoder().encode(self)) }

    init(_ log: UndoLog, milliseconds: Int64, putBackTo: UInt64? = nil) {
        self.milliseconds = milliseconds
        calls = log.calls.map { "\($0.session)/\($0.sequence)" }
        rows = log.rows.count
        discards = log.discards
        self.putBackTo = putBackTo
    }

    init(decoding value: [UInt8]) throws {
        self = try CBORDecoder().decode(HistoryEntry.self, from: StoredValue.open(value).payload)
    }
}

/// When the states that are kept were replaced, oldest first.
struct HistoryMarks {
    private var marks: [(version: UInt64, milliseconds: Int64)] = []
    private var dropped = 0

    var count: Int { marks.count - dropped }
    var first: (version: UInt64, milliseconds: Int64)? { dropped < marks.count ? marks[dropped] : nil }

    mutating func append(_ version: UInt64, _ milliseconds: Int64) { marks.append((version, milliseconds)) }

    mutating func removeFirst() {
        dropped += 1
        guard dropped > marks.count / 2 else { return }
        marks.removeFirst(dropped)
        dropped = 0
    }
}

/// The time that people go by.
package enum WallClock {
    /// Milliseconds since 1970.
    package static var milliseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
