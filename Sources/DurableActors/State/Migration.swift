internal import DurableCore
internal import DurableStore

/// The way of stored state from an older schema version to this build's.
struct Migration {
    /// The state as this build is to read it.
    let fields: [String: StoredField]
    /// What makes it so on disk.
    let changes: [WriteSet.Change]

    /// Runs the type's migration.
    /// - Returns: `nil` when there is nothing to do.
    /// - Throws: `StoreError`; the stored state is untouched.
    static func run(
        _ type: any DurableActor.Type,
        _ stored: ShardStore.Stored,
        _ access: StateAccess,
        actor: ActorID
    ) throws(StoreError) -> Migration? {
        // Before versions were recorded there was only the first one.
        let version = max(stored.actor.schemaVersion, 1)
        guard version < access.type.version else { return nil }
        WorkerMain.log("\(access.type.name) \(actor) goes from schema \(version) to \(access.type.version)")
        let draft = StateDraft(stored.fields, access, actor: actor)
        var state = StoredState(draft: draft)
        do {
            try type.migrate(&state, from: Int(version))
        } catch {
            if let failure = draft.failure { throw failure }
            let message =
                "\(access.type.name) cannot be migrated from schema \(version) to \(access.type.version): "
                + "\((error as? ActorError)?.message ?? "\(error)"); actor \(actor) keeps its bytes; mend "
            throw StoreError(.unreadable, message + "migrate(_:from:), or go back to the build that stored them")
        }
        if let failure = draft.failure { throw failure }
        return Migration(fields: draft.fields, changes: draft.changes())
    }
}
