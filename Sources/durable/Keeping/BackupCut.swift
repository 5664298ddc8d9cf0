internal import DurableCore
internal import DurableLMDB
internal import DurableStore
internal import DurableSupervisor
internal import Glibc

/// All of a runtime's files at one moment.
struct BackupCut {
    private let layout: RuntimeLayout
    private let registry: FileView
    private let shards: [(number: ShardNumber, view: FileView)]

    /// How often the cut is made again because an actor is just being removed.
    private static let attemptsMax = 25

    /// Holds all commits for the moment in which the views are taken.
    /// - Parameter patience: Seconds after which this process ends itself: then some process holds a shard and does
    ///   not go on, and others would wait for us. The kernel frees what a dead process held.
    init(_ directory: DataDirectory, patience: Int) throws {
        layout = directory.layout
        var attempt = 0
        while true {
            attempt += 1
            let cut = EnvironmentCut()
            guard try cut.open(layout.supervisor, expecting: RegistryFile.format) else {
                throw Failure("\(directory.path) has no registry any more")
            }
            // What exists is opened beforehand, so that nobody waits for that.
            for number in directory.shards {
                _ = try cut.open(layout.shard(number), expecting: ShardLayout.storeFormat)
            }
            alarm(UInt32(patience))
            let (registry, records, shards) = try Self.hold(cut, layout)
            cut.release()
            alarm(0)
            let held = Set(shards.map(\.number))
            let isRemoving = records.contains { record in
                record.worker != nil && record.owner == .detached && !held.contains(record.shard)
            }
            // The registry follows within milliseconds when an actor has been removed.
            if isRemoving, attempt < Self.attemptsMax {
                var pause = timespec(tv_sec: 0, tv_nsec: 20_000_000)
                nanosleep(&pause, nil)
                continue
            }
            self.registry = registry
            self.shards = shards
            return
        }
    }

    /// Holds the registry first: that keeps two backups out of each other's way, and new actors from being made.
    private static func hold(
        _ cut: EnvironmentCut,
        _ layout: RuntimeLayout
    ) throws -> (FileView, [ActorRecord], [(number: ShardNumber, view: FileView)]) {
        try cut.hold(layout.supervisor)
        guard let registry = try cut.view(layout.supervisor) else {
            throw Failure("\(layout.directory) has no registry any more")
        }
        let records = try RegistryFile.living(registry)
        // Actors of a group have one shard.
        let numbers = Set(records.map(\.shard)).sorted()
        // A shard that is made while the others are held may have seen what came before, so look until none comes.
        var isComplete = false
        while !isComplete {
            isComplete = true
            for number in numbers where !cut.holds(layout.shard(number)) {
                guard try cut.open(layout.shard(number), expecting: ShardLayout.storeFormat) else { continue }
                try cut.hold(layout.shard(number))
                isComplete = false
            }
        }
        var shards: [(number: ShardNumber, view: FileView)] = []
        for number in numbers where cut.holds(layout.shard(number)) {
            guard let view = try cut.view(layout.shard(number)) else { continue }
            shards.append((number, view))
        }
        return (registry, records, shards)
    }

    /// Writes the files; the directories are there.
    func copy(to target: RuntimeLayout, begins: (String) throws -> Void) throws {
        try begins(Verification.registry)
        try registry.copy(to: "\(target.supervisor)/data.mdb")
        for (number, view) in shards {
            try begins(Verification.path(of: number))
            let directory = target.shard(number)
            guard mkdir(directory, 0o700) == 0 else {
                throw Failure("\(directory) cannot be created: \(Files.reason(errno))")
            }
            chmod(directory, 0o700)
            try view.copy(to: "\(directory)/data.mdb")
        }
    }
}
