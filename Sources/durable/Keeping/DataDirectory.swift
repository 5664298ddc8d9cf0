internal import DurableCore
internal import DurableSupervisor
internal import Glibc

/// A runtime's directory, looked at from outside.
struct DataDirectory {
    let layout: RuntimeLayout

    /// - Throws: When there is none at the path.
    init(_ path: String) throws(Failure) {
        let path = Self.absolute(path)
        guard Files.exists(path) else { throw Failure("there is no directory \(path)") }
        guard Files.isDirectory(path) else { throw Failure("\(path) is not a directory") }
        layout = RuntimeLayout(directory: path)
        guard Files.exists("\(layout.supervisor)/data.mdb") else {
            throw Failure("\(path) is not the directory of a runtime: it holds no registry")
        }
    }

    var path: String { layout.directory }
    /// A directory that a runtime may use, and so may be written to or held.
    /// - Throws: When it is a backup, which stays what its manifest says.
    init(inUse path: String) throws(Failure) {
        try self.init(path)
        guard !Files.exists(manifest) else {
            throw Failure("\(self.path) is a backup, which stays as it is; make a data directory of it with restore")
        }
    }

    /// What a backup has beside a runtime's files.
    var manifest: String { Manifest.path(in: path) }

    /// The numbers of the shards that have files.
    var shards: [ShardNumber] {
        RuntimeDirectory.entries(of: layout.shards).compactMap { ShardNumber($0) }.filter {
            Files.exists("\(layout.shard($0))/data.mdb")
        }.sorted()
    }

    /// The actor with this identity or name.
    func actor(_ wanted: String) throws -> ActorRecord { try actorAndHost(wanted).actor }

    /// The actor with this identity or name, and the record that tells its worker: its group's, or its own.
    func actorAndHost(_ wanted: String) throws -> (actor: ActorRecord, host: ActorRecord) {
        let registry = try RegistryStore(layout, readOnly: true)
        defer { registry.close() }
        let records = try registry.load().records
        let found = records.filter {
            $0.ended == nil && ($0.id.description == wanted.lowercased() || $0.options.name == wanted)
        }
        guard let record = found.first else { throw Failure("\(path) has no living actor \"\(wanted)\"") }
        guard found.count == 1 else {
            let ids = found.map { "\($0.id) in namespace \($0.options.namespace)" }.joined(separator: ", ")
            throw Failure("\"\(wanted)\" is the name of several actors; choose one by its id: \(ids)")
        }
        return (record, records.first { $0.id == record.group } ?? record)
    }

    /// Runs a body while no supervisor can start here.
    func withoutSupervisor<Result>(_ body: () throws -> Result) throws -> Result {
        let descriptor = open(layout.lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw Failure("\(layout.lock) cannot be opened: \(Files.reason(errno))") }
        defer { close(descriptor) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            throw Failure("a runtime is using \(path); shut it down first, or end its supervisor")
        }
        return try body()
    }

    /// The same path from the root on.
    static func absolute(_ path: String) -> String {
        var path = path
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        guard !path.hasPrefix("/"), let current = getcwd(nil, 0) else { return path }
        defer { free(current) }
        let directory = String(cString: current)
        return directory == "/" ? "/\(path)" : "\(directory)/\(path)"
    }
}
