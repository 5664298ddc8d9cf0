internal import CBOR
internal import DurableCore
internal import DurableStore

/// The way of an actor's collections to what is stored. Used on the worker's loop only.
final class StateAccess {
    let store: ShardStore
    let decoder: CBORDecoder
    private let actor: ActorID
    /// The actor's type, for messages.
    let type: TypeSchema
    private let end: (StoreError) -> Never

    /// - Parameter end: What happens when stored state cannot be read in the middle of a turn: reading a property cannot
    ///   throw, so the turn must not go on.
    init(
        _ store: ShardStore,
        _ decoder: CBORDecoder,
        actor: ActorID,
        type: TypeSchema = .none,
        end: @escaping (StoreError) -> Never
    ) {
        self.store = store
        self.decoder = decoder
        self.actor = actor
        self.type = type
        self.end = end
    }

    /// Reads from the store, or ends the turn.
    func read<Result>(_ body: (ShardStore) throws(StoreError) -> Result) -> Result {
        do throws(StoreError) {
            return try body(store)
        } catch {
            end(error)
        }
    }

    /// Decodes the items of an entry, or ends the turn.
    func decode<Item>(
        _ entry: StoredEntry,
        of property: String,
        _ body: (StoredEntry, CBORDecoder) throws -> Item
    ) -> Item {
        do {
            return try body(entry, decoder)
        } catch {
            let expected = "\(Item.self)"
            end(mismatch("an entry of property \"\(property)\"", StoredForm.of(entry.payload), nil, expected, error))
        }
    }

    /// The error that quarantines an actor whose state is of another type than this build expects.
    /// - Parameters:
    ///   - what: What is stored.
    ///   - found: How it is stored.
    ///   - schema: The schema version of the code that stored it, if known.
    ///   - expected: The type that this build expects.
    ///   - error: What reading it said.
    func mismatch(
        _ what: String,
        _ found: String,
        _ schema: UInt32?,
        _ expected: String,
        _ error: any Error
    ) -> StoreError {
        let written = schema.map { " (schema \(max($0, 1)))" } ?? ""
        let message =
            "\(what) of \(type.name) is stored as \(found)\(written), this build expects \(expected) (schema "
            + "\(type.version)): \(StoredForm.reason(error)); actor \(actor) keeps its bytes; write migrate(_:from:), "
            + "or go back to the build that stored it"
        return StoreError(.unreadable, message)
    }
}
