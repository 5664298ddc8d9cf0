import DurableActors
import DurableSupervisor
import Glibc

/// A sentence for a person, of what a lane could not do.
struct LaneError: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }
}

/// A directory that goes with the trial.
final class TrialDirectory: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/durable-soak-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw LaneError("no directory can be made in /tmp: \(String(cString: strerror(errno)))")
        }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { RuntimeDirectory.remove(path) }

    func file(_ name: String) -> String { "\(path)/\(name)" }
}

/// Waits for a condition. False when it has not come true in time.
func isReached(within limit: Duration, _ condition: () async throws -> Bool) async rethrows -> Bool {
    let deadline = ContinuousClock.now + limit
    while try await !condition() {
        guard ContinuousClock.now < deadline else { return false }
        try? await Task.sleep(for: .milliseconds(3))
    }
    return true
}

/// Runs `body`; when it takes too long, the runtimes are shut down, so that its calls end, and it throws.
func withPatience<Value: Sendable>(
    _ limit: Duration,
    of runtimes: [ActorRuntime],
    _ what: String,
    _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value?.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: limit)
            for runtime in runtimes { await runtime.shutdown() }
            return nil
        }
        defer { group.cancelAll() }
        guard let first = try await group.next(), let value = first else {
            throw LaneError("\(what) was not done within \(limit)")
        }
        return value
    }
}

/// What a small file holds; nothing when it cannot be read.
func text(of path: String) -> String {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return "" }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 4096)
    return String(decoding: bytes[..<max(0, read(file, &bytes, bytes.count))], as: UTF8.self)
}

/// A process that runs this program with other arguments.
final class LaneChild: Sendable {
    let pid: Int32
    private let input: Int32
    private let output: Int32

    init(_ arguments: [String], environment: [String: String] = [:]) throws {
        signal(SIGPIPE, SIG_IGN)
        var (toChild, fromChild): ([Int32], [Int32]) = ([-1, -1], [-1, -1])
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &toChild) == 0, socketpair(AF_UNIX, kind, 0, &fromChild) == 0 else {
            throw LaneError("no sockets can be made: \(String(cString: strerror(errno)))")
        }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, toChild[0], 0)
        posix_spawn_file_actions_adddup2(&actions, fromChild[1], 1)
        let words = (["soak"] + arguments).map { strdup($0) }
        var variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0)=\($1)") }
        var own = environ
        while let variable = own.pointee {
            let name = String(cString: variable).prefix { $0 != "=" }
            if environment[String(name)] == nil { variables.append(strdup(String(cString: variable))) }
            own += 1
        }
        defer { for text in words + variables { free(text) } }
        var child: pid_t = 0
        let status = posix_spawn(&child, "/proc/self/exe", &actions, nil, words + [nil], variables + [nil])
        close(toChild[0])
        close(fromChild[1])
        (input, output, pid) = (toChild[1], fromChild[0], child)
        guard status == 0 else {
            throw LaneError("this program cannot be started again: \(String(cString: strerror(status)))")
        }
        _ = fcntl(output, F_SETFL, O_NONBLOCK)
    }

    deinit {
        close(input)
        close(output)
    }

    /// Nothing more is said to it: its input ends.
    func finish() { shutdown(input, Int32(SHUT_WR)) }

    func say(_ line: String) {
        let bytes = Array("\(line)\n".utf8)
        _ = write(input, bytes, bytes.count)
    }

    /// The next line of its output; nil when it has ended, or says nothing for too long.
    func line(within limit: Duration = .seconds(60)) async -> String? {
        var bytes: [UInt8] = []
        let deadline = ContinuousClock.now + limit
        while ContinuousClock.now < deadline {
            var byte: UInt8 = 0
            let count = read(output, &byte, 1)
            if count == 1 {
                if byte == 10 { return String(decoding: bytes, as: UTF8.self) }
                bytes.append(byte)
            } else if count == 0 {
                return nil
            } else {
                try? await Task.sleep(for: .milliseconds(3))
            }
        }
        return nil
    }

    /// Ends it, if it has not ended, and forgets it.
    func reap() async {
        let isOver = await isReached(within: .seconds(20)) { waitpid(pid, nil, WNOHANG) != 0 }
        if isOver { return }
        kill(pid, SIGKILL)
        waitpid(pid, nil, 0)
    }
}
