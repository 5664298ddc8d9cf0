internal import ArgumentParser
internal import DurableCore
internal import DurableStore
internal import DurableSupervisor
internal import Glibc

/// Copies an actor under another name, or a whole directory.
struct Clone: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Copy an actor under another name within a directory, or a whole directory to a new one.",
        discussion: """
            With --actor and --as, DIR gets a detached actor more, with the state of the other one and an identity of \
            its own, in a worker of its own; no runtime may be using DIR. With --to, a new directory is made as by backup and restore, also \
            while DIR is in use.
            """
    )

    @Argument(help: ArgumentHelp("The data directory.", valueName: "dir"))
    var directory: String

    @Option(help: ArgumentHelp("The new data directory; must not exist.", valueName: "dir"))
    var to: String?

    @Option(help: ArgumentHelp("The actor to copy.", valueName: "id-or-name"))
    var actor: String?

    @Option(name: .customLong("as"), help: ArgumentHelp("The copy's name.", valueName: "name"))
    var name: String?

    @Option(help: "How many seconds the cut may take at most, 1 to 600.")
    var patience = 10

    func validate() throws {
        guard (to == nil) != (actor == nil), (actor == nil) == (name == nil) else {
            throw ValidationError("either --to, or --actor and --as are needed")
        }
        guard (1...600).contains(patience) else {
            throw ValidationError("--patience is \(patience); allowed are 1 to 600")
        }
    }

    func run() throws {
        do {
            if let to {
                try cloneDirectory(to: DataDirectory.absolute(to))
            } else if let actor, let name {
                let data = try DataDirectory(inUse: directory)
                let id = try data.withoutSupervisor { try Self.clone(actor, as: name, in: data) }
                print("\(name) (\(id)) has the state of \(actor)")
            }
        } catch {
            throw Failure(error).report()
        }
    }

    private func cloneDirectory(to target: String) throws {
        _ = try DataDirectory(inUse: directory)
        guard !Files.exists(target) else { throw Failure("\(target) exists already; nothing is ever replaced") }
        try RuntimeDirectory.checkSocketPath(RuntimeLayout(directory: target))
        let between = target + ".backup-\(getpid())"
        _ = try BackupRun(directory, to: between, patience: patience)
        // Only now is it ours; what was there before is not.
        defer { RuntimeDirectory.remove(between) }
        print(try RestoreRun(between, to: target).text, terminator: "")
    }

    /// The shard first: one without a record is removed by the next runtime, a record without a shard would be an
    /// actor without its state.
    static func clone(_ actor: String, as name: String, in directory: DataDirectory) throws -> ActorID {
        let original = try directory.actor(actor)
        try ActorOptions.validate(name, as: "the copy's name")
        let registry = try RegistryStore(directory.layout)
        defer { registry.close() }
        let stored = try registry.load()
        let taken = stored.records.contains {
            $0.ended == nil && $0.options.name == name && $0.options.namespace == original.options.namespace
        }
        guard !taken else {
            throw Failure("there is an actor \"\(name)\" in namespace \(original.options.namespace) already")
        }
        guard Files.exists("\(directory.layout.shard(original.shard))/data.mdb") else {
            throw Failure("\(actor) has stored nothing yet")
        }
        var generator = SystemRandomNumberGenerator()
        let id = ActorID(random: &generator)
        let known = stored.records.map(\.shard) + directory.shards
        let shard = max(stored.nextShard ?? 1, (known.max() ?? 0) + 1)
        var options = original.options
        options.name = name
        options.isDetached = true
        options.isolation = .dedicated
        let record = ActorRecord(
            id: id,
            typeName: original.typeName,
            typeDescription: original.typeDescription,
            arguments: original.arguments,
            options: options,
            owner: .detached,
            executable: original.executable,
            shard: shard
        )
        let target = directory.layout.shard(shard)
        do {
            try ShardClone.make(
                of: original.id,
                in: directory.layout.shard(original.shard),
                at: target,
                as: id,
                name: name
            )
            try registry.add(record)
        } catch {
            RuntimeDirectory.remove(target)
            throw error
        }
        return id
    }
}
