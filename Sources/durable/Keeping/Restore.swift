internal import ArgumentParser
internal import DurableStore
internal import DurableSupervisor
internal import Glibc

/// Makes a data directory of a backup.
struct Restore: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a data directory of a backup, ready for a runtime.",
        discussion: """
            The backup is compared with its manifest, copied, and verified. In the new directory every shard has a \
            higher epoch, and no process of the old one is known. Detached actors start when they are first used; \
            others end, because their owners are gone.
            """
    )

    @Argument(help: ArgumentHelp("The backup.", valueName: "backup"))
    var backup: String

    @Argument(help: ArgumentHelp("The new data directory; must not exist.", valueName: "dir"))
    var target: String

    @Flag(help: .hidden)
    var inProcess = false

    func run() throws {
        do {
            if inProcess { return try prepare() }
            print(try RestoreRun(backup, to: target).text, terminator: "")
        } catch {
            throw Failure(error).report()
        }
    }

    /// What the child does: `target` is the directory in the making.
    private func prepare() throws {
        do {
            let directory = try DataDirectory(target)
            for number in directory.shards {
                try Throwaway.say(.begins(Verification.path(of: number)))
                try ShardHistory.raiseEpoch(of: directory.layout.shard(number))
                unlink("\(directory.layout.shard(number))/lock.mdb")
            }
            try Throwaway.say(.begins(Verification.registry))
            let registry = try RegistryStore(directory.layout)
            try registry.forgetProcesses()
            registry.close()
            unlink("\(directory.layout.supervisor)/lock.mdb")
            try Throwaway.say(.finished)
        } catch {
            try Throwaway.say(.failed(Failure(error).description))
        }
    }
}

/// A restore from its beginning to the directory's name.
struct RestoreRun {
    private let target: String
    private let files: Int

    /// - Throws: When anything fails; then nothing is left at the target.
    init(_ backup: String, to path: String) throws {
        let source = DataDirectory.absolute(backup)
        guard Files.exists(source) else { throw Failure("there is no directory \(source)") }
        let manifest = try Manifest(in: source)
        try RuntimeDirectory.checkSocketPath(RuntimeLayout(directory: DataDirectory.absolute(path)))
        let new = try NewDirectory(path)
        try new.make("supervisor")
        try new.make("shards")
        let progress = ProgressLine()
        defer { progress.clear() }
        for file in manifest.files {
            progress.show("copying  \(file.path)")
            if let slash = file.path.lastIndex(of: "/") { try new.make(String(file.path[..<slash])) }
            guard Files.exists("\(source)/\(file.path)") else { throw Failure("\(source)/\(file.path) is missing") }
            let (bytes, checksum) = try FileCopy.run(
                "\(source)/\(file.path)",
                to: "\(new.staging)/\(file.path)",
                bytesMax: file.bytes
            )
            guard bytes == file.bytes, checksum == file.checksum else {
                throw Failure("\(source)/\(file.path) is not what was backed up: it differs from the manifest")
            }
        }
        let verified = try VerifyRun(new.staging)
        if let finding = verified.findings.first { throw Failure("the backup \(source) is not sound: \(finding)") }
        try Self.prepare(new.staging)
        try new.place()
        target = new.target
        files = manifest.files.count
    }

    private static func prepare(_ staging: String) throws {
        // The backup's own path plays no part in what the child does.
        switch try Throwaway.run(["restore", staging, staging, "--in-process"], { _ in }) {
        case .finished: return
        case .failed(let reason): throw Failure(reason)
        case .died(let status, let file):
            throw Failure("\(file ?? staging) broke the process that prepared it (\(status)); nothing was restored")
        }
    }

    var text: String { "\(target): \(files) files restored and verified; each shard has a higher epoch\n" }
}
