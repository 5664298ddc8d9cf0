internal import CBOR
internal import DurableCore
internal import DurableLMDB
internal import DurableStore
internal import DurableSupervisor

/// What was found in one file of a data directory.
struct FileReport: Codable {
    /// The file, below the directory.
    var path: String
    var findings: [String] = []
    var notes: [String] = []
    var rows = 0
    var pagesUsed: UInt64 = 0
    var pagesFree: UInt64 = 0
    /// Of a shard.
    var epoch: Epoch = 0
    var version: UInt64 = 0
    var actors: [ActorID] = []
}

/// Looks at all files of a data directory, or of a backup, one after the other.
struct Verification {
    let layout: RuntimeLayout

    static let registry = "supervisor/data.mdb"

    static func path(of shard: ShardNumber) -> String { "shards/\(shard)/data.mdb" }

    /// Every file that there is, the registry first; a child that died goes on behind a number of them.
    func run(skipping done: Int, _ body: (FileReport) throws -> Void, begins: (String) throws -> Void) throws {
        let directory = try DataDirectory(layout.directory)
        var targets: [ShardNumber?] = [nil]
        targets += directory.shards.map { $0 }
        for target in targets.dropFirst(done) {
            try begins(target.map(Self.path) ?? Self.registry)
            try body(target.map(shard) ?? registry())
        }
    }

    private func registry() -> FileReport {
        let report = RegistryFile.verify(layout.supervisor)
        var file = FileReport(path: Self.registry, findings: report.findings, notes: report.notes, rows: report.rows)
        (file.pagesUsed, file.pagesFree) = report.pages
        return file
    }

    private func shard(_ number: ShardNumber) -> FileReport {
        let report = ShardVerifier.verify(layout.shard(number))
        guard Files.exists("\(layout.shard(number))/data.mdb") else {
            return FileReport(path: Self.path(of: number), notes: ["its actor ended meanwhile"])
        }
        var file = FileReport(
            path: Self.path(of: number),
            findings: report.findings,
            notes: report.notes,
            rows: report.rows,
            actors: report.actors
        )
        (file.pagesUsed, file.pagesFree) = report.pages
        file.epoch = report.fence?.epoch ?? 0
        file.version = report.fence?.version ?? 0
        return file
    }

    /// What the registry says of the shards, compared with what they hold.
    static func compare(_ records: [ActorRecord], with files: [FileReport]) -> (findings: [String], notes: [String]) {
        var (findings, notes): ([String], [String]) = ([], [])
        let living = records.filter { $0.ended == nil || $0.owner == .detached }
        let named = Set(living.map { path(of: $0.shard) })
        for file in files where file.path != registry && !named.contains(file.path) {
            notes.append("\(file.path) belongs to no actor; the next start of a runtime removes it")
        }
        let known = Set(records.map(\.id))
        for record in living where record.group == nil {
            let path = path(of: record.shard)
            guard let file = files.first(where: { $0.path == path }) else {
                let title = record.options.name ?? record.id.description
                notes.append("\(title) has stored nothing yet: there is no \(path)")
                continue
            }
            let strangers = file.actors.filter { $0 != record.id && !(record.isGroup && known.contains($0)) }
            if record.isGroup {
                // The next life of the worker removes rows of actors that have ended.
                guard !strangers.isEmpty else { continue }
                notes.append("\(path) holds actors that the registry does not know: \(strangers.map(\.description))")
            } else if !file.actors.isEmpty, !file.actors.contains(record.id) {
                findings.append("\(path) belongs to \(record.id), and holds \(strangers.map(\.description))")
            }
        }
        return (findings, notes)
    }
}
