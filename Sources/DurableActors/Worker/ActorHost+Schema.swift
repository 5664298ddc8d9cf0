internal import DurableCore
internal import DurableProcess
internal import DurableStore
internal import DurableTransport
internal import Glibc

/// The stored layout: migrations before a life, its description, properties that nobody knows any more.
extension ActorHost {
    /// Puts the stored state into an instance, migrated if it is of an older schema version.
    func restore(_ activation: Activation, _ stored: ShardStore.Stored, _ access: StateAccess) throws {
        try activation.type.check(stored.actor, id)
        if stored.actor.schemaVersion > activation.type.version {
            WorkerMain.log(
                "\(activation.type.name) \(id) was served by code of schema \(stored.actor.schemaVersion); this "
                    + "build has schema \(activation.type.version), and leaves what it does not know as it is"
            )
        }
        let migration = try Migration.run(type, stored, access, actor: id)
        // Before the commit: what cannot be read afterwards must not replace what could be.
        try activation.restore(migration?.fields ?? stored.fields, access)
        guard let migration else { return noteSchemaSoon(stored) }
        let schema = activation.describe(
            try access.store.schema(of: id),
            stored: migration.fields.keys,
            served: activation.type.version,
            now: Self.milliseconds()
        ).schema
        let changes = migration.changes + [.schema(schema)]
        let set = WriteSet(actor: id, changes: changes, schema: activation.type.version)
        try access.store.register(id, as: activation.type.served(stored.actor), state: set)
    }

    /// The first state of an actor, stored with its layout.
    func begin(_ activation: Activation, _ access: StateAccess) throws {
        activation.begin(access)
        let changes = try activation.takeChanges()
        let (schema, _) = activation.describe(nil, stored: [], served: 0, now: Self.milliseconds())
        let version = activation.type.version
        // Committed with the first calls' changes, before their replies leave.
        let record = WriteSet.Change.actor(activation.type.served(definition.stored(inGroup: host.isShared)))
        host.gate.hold(
            WriteSet(actor: id, changes: [record] + changes + [.schema(schema)], schema: version),
            reply: nil
        )
    }

    /// Looks, when the first calls have been answered, whether the layout is the one that the shard describes.
    private func noteSchemaSoon(_ stored: ShardStore.Stored) {
        let (record, names) = (stored.actor, Array(stored.fields.keys))
        let generation = generation
        host.loop.schedule(after: .milliseconds(5)) { [self] in
            guard generation == self.generation else { return }
            do throws(StoreError) {
                try noteSchema(record, names)
            } catch {
                if error.code == .fenced { host.fenced(error) }
                // The description is not state; the next life tries again.
                WorkerMain.log("the layout of the state could not be noted: \(error)")
            }
        }
    }

    private func noteSchema(_ record: StoredActor, _ names: [String]) throws(StoreError) {
        // Older code describes nothing: what it does not know is not foreign.
        guard let store = host.store, let activation, activation.type.version >= record.schemaVersion else { return }
        let before = try store.schema(of: id)
        let now = Self.milliseconds()
        var (schema, expired) = activation.describe(before, stored: names, served: record.schemaVersion, now: now)
        let served = activation.type.served(record)
        guard schema != before || served != record || !expired.isEmpty else { return }
        schema.milliseconds = now
        for name in expired {
            WorkerMain.log("property \"\(name)\" of \(activation.type.name) \(id) was not known for long; it goes")
        }
        let changes = expired.map { WriteSet.Change.removeProperty($0) } + [.schema(schema)]
        let set = WriteSet(actor: id, changes: changes, schema: activation.type.version)
        try store.register(id, as: served, state: set)
        host.sweepSoon()
    }

    private static func milliseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        let milliseconds = Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
        return milliseconds.addingReportingOverflow(LiveFaults.current.clockOffset).partialValue
    }
}
