import DurableActors
import DurableProcess
import DurableSupervisor
import Glibc
import Synchronization

/// A temporary directory with the data directory of one runtime, whose processes can be listed and ended.
struct KillFolder: Sendable {
    let path: String

    /// The runtime's data directory.
    var data: String { "\(path)/data" }

    init(_ lane: String) throws {
        let root = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(root)/soak-\(lane).XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil, let resolved = realpath(template, nil) else {
            throw ActorError(.directoryUnusable, "no directory can be made in \(root): errno \(errno)")
        }
        defer { free(resolved) }
        path = String(cString: resolved)
    }

    /// A directory that another process has made, and removes.
    init(at path: String) { self.path = path }

    /// The processes of the runtime that have not ended: supervisor, workers, spares. The stderr of each of them is a
    /// file in the directory.
    func processes() -> [ProcessHandle] {
        RuntimeDirectory.entries(of: "/proc").compactMap { name in
            guard let pid = Int32(name), pid != getpid(), isOurs(pid) else { return nil }
            // One that is gone meanwhile is not ours any more.
            guard let process = try? ProcessHandle.adopt(peer: pid), isOurs(pid), process.isAlive else { return nil }
            return process
        }
    }

    /// What is left of the runtime once it has had the time to end; nobody is to be left.
    func remaining(after patience: Duration = .seconds(10)) async throws -> [ProcessHandle] {
        let deadline = ContinuousClock.now + patience
        var left = processes()
        while !left.isEmpty, .now < deadline {
            try await Task.sleep(for: .milliseconds(20))
            // A look at all processes of the machine is dear: it is taken when those that were there have ended.
            if left.allSatisfy({ !$0.isAlive }) { left = processes() }
        }
        return left.filter(\.isAlive)
    }

    /// Kills everything, also what other kills let start, until nothing is left.
    func killEverything() async throws {
        while case let left = processes(), !left.isEmpty {
            for process in left { process.kill() }
            for process in left {
                while process.isAlive { try await Task.sleep(for: .milliseconds(1)) }
                _ = process.reap()
            }
        }
    }

    /// Kills everything at once and has a driver leave. It starts the next supervisor, to tell it; one that is made to stand
    /// still cannot answer, and is killed too.
    func leave(_ runtime: ActorRuntime) async throws {
        try await killEverything()
        let isGone = Flag()
        // Owned by this function, which waits for it.
        let leaving = Task {
            await runtime.shutdown()
            isGone.raise()
        }
        while !isGone.isRaised {
            for process in processes() where ProcessTable.isStopped(process.pid) { process.kill() }
            try await Task.sleep(for: .milliseconds(15))
        }
        await leaving.value
        try await killEverything()
    }

    func remove() { RuntimeDirectory.remove(path) }

    private func isOurs(_ pid: Int32) -> Bool {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/\(pid)/fd/2", &buffer, buffer.count)
        guard count > 0 else { return false }
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self).hasPrefix("\(path)/")
    }
}

/// Something that happens once.
private final class Flag: Sendable {
    private let state = Atomic(false)

    var isRaised: Bool { state.load(ordering: .sequentiallyConsistent) }

    func raise() { state.store(true, ordering: .sequentiallyConsistent) }
}
