internal import ArgumentParser
internal import DurableSupervisor
internal import Glibc

/// Copies a data directory, also while it is in use.
struct Backup: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Copy a data directory, also while it is in use: all actors as they were at one moment.",
        discussion: """
            For the moment of the cut, a few milliseconds, no actor can commit; they go on while the files are copied. \
            The backup is verified before it gets its name.
            """
    )

    @Argument(help: ArgumentHelp("The data directory.", valueName: "dir"))
    var directory: String

    @Argument(help: ArgumentHelp("Where the backup goes; must not exist.", valueName: "backup"))
    var target: String

    @Option(help: "How many seconds the cut may take at most, 1 to 600; then it is given up.")
    var patience = 10

    @Flag(help: .hidden)
    var inProcess = false

    func validate() throws {
        guard (1...600).contains(patience) else {
            throw ValidationError("--patience is \(patience); allowed are 1 to 600")
        }
    }

    func run() throws {
        do {
            if inProcess { return try copy() }
            let run = try BackupRun(directory, to: target, patience: patience)
            print(run.text, terminator: "")
        } catch {
            throw Failure(error).report()
        }
    }

    /// What the child does: `target` is the directory in the making.
    private func copy() throws {
        // Every shard needs a few descriptors for the moment of the cut.
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            limit.rlim_cur = limit.rlim_max
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        }
        do {
            let cut = try BackupCut(DataDirectory(directory), patience: patience)
            try cut.copy(to: RuntimeLayout(directory: target)) { try Throwaway.say(.begins($0)) }
            try Throwaway.say(.finished)
        } catch {
            try Throwaway.say(.failed(Failure(error).description))
        }
    }
}
