internal import DurableCore
internal import DurableStore

/// Walks through a collection in the order of its keys, some entries at a time.
struct EntryIterator<Coding: EntryCoding>: IteratorProtocol {
    private let table: EntryTable<Coding>
    private let end: [UInt8]?
    private var page: ArraySlice<(key: [UInt8], item: Coding.Item)> = []
    private var start: [UInt8]?
    private var limit = 16

    /// - Parameters:
    ///   - start: The key to start at, itself included.
    ///   - end: The key before which to stop.
    init(_ table: EntryTable<Coding>, from start: [UInt8], before end: [UInt8]? = nil) {
        self.table = table
        self.start = start
        self.end = end
    }

    mutating func next() -> Coding.Item? {
        if page.isEmpty {
            guard let start else { return nil }
            page = table.page(from: start, limit: limit)[...]
            limit = Limits.entriesPerPage
            self.start = page.last.map { $0.key + [0] }
        }
        guard let next = page.popFirst() else { return nil }
        if let end, !next.key.lexicographicallyPrecedes(end) {
            start = nil
            page = []
            return nil
        }
        return next.item
    }
}

/// Keys of rows.
enum RowKey {
    static func of(_ key: some Encodable) -> [UInt8] {
        do {
            return try OrderedKey.encode(key)
        } catch {
            preconditionFailure("a key of type \(type(of: key)) cannot be stored: \(error)")
        }
    }

    /// The entry under a cut key must be that of the whole key.
    static func check(_ isSame: Bool, _ row: [UInt8]) {
        precondition(isSame || !OrderedKey.isCut(row), "two keys longer than 500 bytes have the same hash")
    }
}
