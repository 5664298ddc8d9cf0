internal import CBOR
internal import DurableCore
internal import DurableStore

/// What a migration makes of stored state, before it is committed. Used on the worker's loop, without suspending.
///
/// Entries of new collections are committed while they are made, some at a time, under row sets that are listed as
/// discarded meanwhile. Only the migration's own commit takes them off that list: whatever happens before, the old state
/// is untouched, and what was begun is deleted like everything that is discarded.
final class StateDraft {
    /// A collection in the making.
    final class Staged {
        let rows: RowSetID
        let kind: CollectionHeader.Kind
        fileprivate(set) var count = 0
        fileprivate var pending: [[UInt8]: [UInt8]] = [:]
        fileprivate var pendingBytes = 0
        fileprivate var isStored = false

        fileprivate init(rows: RowSetID, kind: CollectionHeader.Kind) {
            self.rows = rows
            self.kind = kind
        }
    }

    var fields: [String: StoredField]
    let decoder: CBORDecoder
    /// What went wrong with the store, if the migration itself went on after it.
    private(set) var failure: StoreError?
    private let before: [String: StoredField]
    private let store: ShardStore
    private let actor: ActorID
    private let schema: UInt32

    init(_ fields: [String: StoredField], _ access: StateAccess, actor: ActorID) {
        self.fields = fields
        self.actor = actor
        before = fields
        store = access.store
        decoder = access.decoder
        schema = access.type.version
    }

    static func error(_ message: String) -> ActorError { ActorError(.invalidArgument, message) }

    func mismatch(_ what: String, _ found: [UInt8], _ type: Any.Type, _ error: any Error) -> ActorError {
        Self.error("\(what) is stored as \(StoredForm.of(found)), not as \(type): \(StoredForm.reason(error))")
    }

    func field(_ property: StoredProperty) -> StoredField { StoredField(property: property, schema: schema) }

    func header(of property: String) -> CollectionHeader? {
        guard case .collection(let header) = fields[property]?.property else { return nil }
        return header
    }

    func decode<Value: Decodable>(_ type: Value.Type, _ entry: StoredEntry, of property: String) throws -> Value {
        do {
            return try decoder.decode(type, from: entry.payload)
        } catch {
            throw mismatch("an entry of \"\(property)\"", entry.payload, type, error)
        }
    }

    /// Walks through a collection; one that is not stored is empty.
    func forEach(
        _ property: String,
        _ kind: CollectionHeader.Kind,
        _ body: (StoredEntry) throws -> Void
    ) throws {
        guard let stored = fields[property] else { return }
        guard let header = header(of: property), header.kind == kind else {
            throw Self.error("\"\(property)\" is stored as \(StoredForm.of(stored)), not as a \(kind)")
        }
        var start: [UInt8]? = []
        while let from = start {
            let page = try watched { store throws(StoreError) in
                try store.entries(from: from, of: header.rows, limit: Limits.entriesPerPage)
            }
            for entry in page { try body(entry) }
            start = page.count == Limits.entriesPerPage ? page.last.map { $0.key + [0] } : nil
        }
    }

    /// Begins a collection.
    func stage(_ kind: CollectionHeader.Kind) throws -> Staged { Staged(rows: store.makeRows(), kind: kind) }

    /// Adds an entry. False when there is one under this key.
    func add(_ payload: [UInt8], under key: [UInt8], to staged: Staged) throws -> Bool {
        if staged.pending[key] != nil { return false }
        if staged.isStored {
            let isThere = try watched { store throws(StoreError) in try store.hasEntry(key, of: staged.rows) }
            if isThere { return false }
        }
        staged.pending[key] = payload
        staged.pendingBytes += key.count + payload.count + 64
        staged.count += 1
        if staged.pendingBytes > Limits.entryCacheBytes { try flush(staged) }
        return true
    }

    /// The collection takes the place of whatever the property was.
    func finish(_ staged: Staged, as property: String) throws {
        try flush(staged)
        let header = CollectionHeader(kind: staged.kind, rows: staged.rows, count: staged.count)
        fields[property] = field(.collection(header))
    }

    /// What takes the state from what is stored to what was made of it.
    func changes() -> [WriteSet.Change] {
        let longest = ShardLayout.fieldNameBytesMax
        precondition(fields.keys.allSatisfy { $0.utf8.count <= longest }, "a name of more than \(longest) bytes")
        var changes: [WriteSet.Change] = []
        for name in before.keys.sorted() where fields[name] == nil { changes.append(.removeProperty(name)) }
        for (name, field) in fields.sorted(by: { $0.key < $1.key }) where before[name]?.property != field.property {
            changes.append(.property(name, field.property))
        }
        let kept = Self.rows(of: fields)
        for rows in Self.rows(of: before).subtracting(kept).sorted() { changes.append(.discard(rows)) }
        for rows in kept.sorted() { changes.append(.keep(rows)) }
        return changes
    }

    private static func rows(of fields: [String: StoredField]) -> Set<RowSetID> {
        Set(
            fields.values.compactMap { field in
                if case .collection(let header) = field.property { header.rows } else { nil }
            }
        )
    }

    private func flush(_ staged: Staged) throws {
        var changes: [WriteSet.Change] = [.discard(staged.rows)]
        for (key, payload) in staged.pending { changes.append(.entry(staged.rows, key: key, payload: payload)) }
        let set = WriteSet(actor: actor, changes: changes, schema: schema)
        try watched { store throws(StoreError) in try store.commit([set]) }
        staged.pending = [:]
        staged.pendingBytes = 0
        staged.isStored = true
    }

    /// Keeps the store's error: it counts, even when the migration catches it.
    private func watched<Result>(_ body: (ShardStore) throws(StoreError) -> Result) throws(StoreError) -> Result {
        do throws(StoreError) {
            return try body(store)
        } catch {
            failure = failure ?? error
            throw error
        }
    }
}
