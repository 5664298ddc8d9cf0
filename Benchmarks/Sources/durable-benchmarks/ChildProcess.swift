internal import ArgumentParser
internal import CBenchmarks
internal import DurableBench
internal import Glibc

/// A process that sends back whatever it is sent: the other side of the raw limits.
///
/// It blocks in `read` on one end of a socket pair, which is its standard input and output.
struct ChildProcess: ~Copyable {
    let processID: pid_t
    private let descriptor: Int32

    /// Starts this program again as an ``EchoChild``.
    /// - Parameters:
    ///   - file: A file that it maps and reads all of, if any.
    ///   - megabytes: Memory of its own that it touches.
    static func echo(mapping file: String? = nil, holding megabytes: Int = 0) throws -> ChildProcess {
        var arguments = ["durable-benchmarks", EchoChild.name, "--megabytes", "\(megabytes)"]
        if let file { arguments += ["--map", file] }
        return try answering(ChildProcess("/proc/self/exe", arguments))
    }

    /// Starts a C program of the system that does the same, as small as a process gets here.
    static func small() throws -> ChildProcess { try answering(ChildProcess("/bin/cat", ["cat"])) }

    /// Waits until the process has answered once: it is up, and its descriptors are its own.
    private static func answering(_ child: consuming ChildProcess) throws -> ChildProcess {
        try child.exchange(1)
        return child
    }

    private init(_ path: String, _ arguments: [String]) throws {
        (processID, descriptor) = try Self.start(path, arguments)
    }

    deinit {
        kill(processID, SIGKILL)
        waitpid(processID, nil, 0)
        close(descriptor)
    }

    /// Sends bytes and waits for them to come back.
    func exchange(_ count: Int) throws {
        var bytes = [UInt8](repeating: 7, count: count)
        guard write(descriptor, bytes, count) == count else { throw BenchmarkError("writing to a child", code: errno) }
        var received = 0
        while received < count {
            let result = read(descriptor, &bytes, count - received)
            guard result > 0 else { throw BenchmarkError("reading from a child", code: errno) }
            received += result
        }
    }

    /// Kills the process and waits until its socket says so.
    /// - Returns: How many nanoseconds that took.
    consuming func killAndAwaitEnd() throws -> UInt64 {
        var byte: UInt8 = 0
        let start = nanoseconds()
        kill(processID, SIGKILL)
        guard read(descriptor, &byte, 1) == 0 else { throw BenchmarkError("a killed child wrote something") }
        return nanoseconds() - start
    }

    private static func start(_ path: String, _ arguments: [String]) throws -> (pid_t, Int32) {
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            throw BenchmarkError("a socket pair", code: errno)
        }
        defer { close(ends[1]) }
        do {
            return (try spawn(path, arguments, descriptor: ends[1]), ends[0])
        } catch {
            close(ends[0])
            throw error
        }
    }

    private static func spawn(_ path: String, _ arguments: [String], descriptor: Int32) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, descriptor, STDIN_FILENO)
        posix_spawn_file_actions_adddup2(&actions, descriptor, STDOUT_FILENO)
        var texts = arguments.map { strdup($0) } + [nil]
        defer { texts.forEach { free($0) } }
        var processID = pid_t()
        let code = posix_spawn(&processID, path, &actions, nil, &texts, environ)
        guard code == 0 else { throw BenchmarkError("starting \(path)", code: code) }
        return processID
    }
}

/// The hidden subcommand that a ``ChildProcess`` runs.
struct EchoChild: ParsableCommand {
    static let name = "echo-child"
    static let configuration = CommandConfiguration(commandName: name, shouldDisplay: false)

    @Option(help: "A file to map and read.")
    var map: String?

    @Option(help: "MiB of memory to touch.")
    var megabytes = 0

    func run() throws {
        if let map {
            let code = benchmarks_hold(map, 0)
            guard code == 0 else { throw BenchmarkError("mapping \(map)", code: code) }
        }
        let code = benchmarks_hold(nil, megabytes << 20)
        guard code == 0 else { throw BenchmarkError("\(megabytes) MiB of memory", code: code) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(STDIN_FILENO, &bytes, bytes.count)
            guard count > 0, write(STDOUT_FILENO, bytes, count) == count else { return }
        }
    }
}
