internal import ArgumentParser
internal import DurableActors
internal import DurableCore

/// Writes and compares the stored layouts of actor types.
struct Schema: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show, lock or check the stored layouts of the actor types in a data directory.",
        discussion: """
            Reads the files only: neither a running supervisor nor the actors' types are needed. A lock file belongs \
            beside the sources. --check ends with 1 when a layout has changed incompatibly without a higher \
            schemaVersion. An actor's layout is that of the build that served it last.
            """
    )

    @Argument(help: ArgumentHelp("The data directory.", valueName: "dir"))
    var directory: String

    @Option(help: ArgumentHelp("Write the layouts to this lock file.", valueName: "file"))
    var write: String?

    @Option(help: ArgumentHelp("Compare the layouts with this lock file.", valueName: "file"))
    var check: String?

    @Flag(help: "With --check: compatible changes end with 1, too.")
    var exact = false

    func validate() throws {
        guard write == nil || check == nil else {
            throw ValidationError("--write and --check exclude each other: what was just written always fits")
        }
        guard check != nil || !exact else { throw ValidationError("--exact needs --check") }
    }

    func run() throws {
        do {
            guard Files.isDirectory(directory) else { throw Failure("\(directory) is not a directory") }
            let lock = try SchemaLock(directory: directory)
            if let write {
                try lock.write(to: write)
            } else if let check {
                try compare(lock, with: check)
            } else {
                print(Self.shown(lock.text), terminator: "")
            }
        } catch let exit as ExitCode {
            throw exit
        } catch {
            throw Failure(error).report()
        }
    }

    private func compare(_ lock: SchemaLock, with file: String) throws {
        do {
            let comparison = try lock.check(file: file, exact: exact)
            for change in comparison.compatible { print("changed: \("\(change)".onOneLine)") }
            print(comparison.isCurrent ? "all layouts are as locked" : "compatible; write \(file) again")
        } catch let mismatch as SchemaLock.Mismatch {
            print(Self.shown("\(mismatch)"))
            throw ExitCode.failure
        }
    }

    /// Lines for a terminal: names of types and properties are what stored files say they are.
    private static func shown(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { String($0).onOneLine }
            .joined(separator: "\n")
    }
}
