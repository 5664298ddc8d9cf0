internal import CBOR
internal import DurableCore
internal import DurableStore

/// The way of an actor's collections to what is stored. Used on the worker's loop only.
final class StateAccess {
    let store: ShardStore
    let decoder: CBORDecoder
    private let actor: ActorID
    private let end: (StoreError) -> Never

    /// - Parameter end: What happens when stored state cannot be read in the middle of a turn: reading a property cannot
    ///   throw, so the turn must not go on.
    init(_ store: ShardStore, _ decoder: CBORDecoder, actor: ActorID, end: @escaping (StoreError) -> Never) {
        self.store = store
        self.decoder = decoder
        self.actor = actor
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
    func decode<Item>(_ entry: StoredEntry, _ body: (StoredEntry, CBORDecoder) throws -> Item) -> Item {
        do {
            return try body(entry, decoder)
        } catch {
            let found = (try? CBORDiagnostic.json(entry.payload, pretty: false)) ?? "\(entry.payload.count) bytes"
            let message =
                "an entry of actor \(actor) is stored as \(found.prefix(200)), which is no \(Item.self): \(error)"
            end(StoreError(.unreadable, message))
        }
    }
}
