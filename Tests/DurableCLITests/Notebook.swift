import DurableActors
import Foundation
import Glibc

@testable import durable

/// An actor with state of many kinds, of a type that the tool does not know.
distributed actor Notebook: DurableActor {
    @Checkpointed var count = 0
    @Checkpointed var lines: [String] = []
    @Checkpointed var ratio = Double.infinity
    @Checkpointed var places: [Int: String] = [:]
    @Checkpointed var bytes: [UInt8] = []
    @Checkpointed var note: String?

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
    }

    /// Adds to several properties at once. Returns how many lines there are.
    distributed func write(_ line: String) -> Int {
        count += 1
        lines.append(line)
        places[count] = line
        return count
    }

    distributed func processID() -> Int32 { getpid() }

    /// Crashes whenever it is called.
    distributed func tear(_ page: Int, with word: String) { fatalError(word) }

    /// Dies, and leaves a last word.
    distributed func crash(_ word: String) {
        _ = word.withCString { Glibc.write(2, $0, strlen($0)) }
        raise(SIGKILL)
    }
}

/// Ends a runtime that detached actors keep running, the way a power loss does: their state stays.
func killEverything(in directory: String) async throws {
    let processes = RuntimeProcesses(directory)
    try await eventually("the end of all processes") {
        let living = processes.living()
        // The supervisor comes first and replaces nobody any more.
        for process in living { _ = process.kill() }
        return living
    } is: {
        $0.isEmpty
    }
}

/// What files hold, to tell whether something has changed.
struct Snapshot: Equatable {
    /// The contents of each file, its mode, and when it changed, by its path.
    private(set) var files: [String: [String]] = [:]

    /// Looks at everything in a directory.
    /// - Parameter locks: Whether LMDB's lock files count. Each reader enters itself into them.
    init(_ directory: String, locks: Bool) throws {
        for name in try FileManager.default.subpathsOfDirectory(atPath: directory) + ["."] {
            if !locks, name.hasSuffix("lock.mdb") || name == "." { continue }
            let path = "\(directory)/\(name)"
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            let contents = FileManager.default.contents(atPath: path)?.base64EncodedString() ?? ""
            let date = attributes[.modificationDate] as? Date
            files[name] = [
                contents, "\(attributes[.posixPermissions] ?? 0)", "\(date?.timeIntervalSince1970 ?? 0)",
            ]
        }
    }

    /// The paths of what differs.
    func differences(_ other: Snapshot) -> [String] {
        Set(files.keys).union(other.files.keys).filter { files[$0] != other.files[$0] }.sorted()
    }
}
