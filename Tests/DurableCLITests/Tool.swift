import DurableSupervisor
import Foundation
import Glibc
import Testing

/// A directory that goes with the test.
final class ScratchDirectory {
    let path: String

    init() throws {
        var template = Array("/tmp/durable-cli-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { RuntimeDirectory.remove(path) }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    func file(_ name: String, holding text: String) throws -> String {
        try Data(text.utf8).write(to: URL(fileURLWithPath: file(name)))
        return file(name)
    }
}

/// How a process of the tool ended, and what it wrote.
struct Ending {
    var status: Int32
    var output: String
    var error: String

    /// The exit code; `nil` when a signal ended the process.
    var code: Int32? { status & 0x7f == 0 ? (status >> 8) & 0xff : nil }
    var signal: Int32 { status & 0x7f }
    var errorLines: [Substring] { error.split(separator: "\n", omittingEmptySubsequences: false).dropLast() }

    /// Checks that the tool failed the way that a user is owed: this exit code, one line, nothing else.
    func expectOneLine(
        _ expected: [String],
        code expectedCode: Int32 = 1,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(code == expectedCode, "status \(status): \(error)", sourceLocation: sourceLocation)
        #expect(errorLines.count == 1 && error.hasPrefix("durable: "), "\(error)", sourceLocation: sourceLocation)
        for part in expected { #expect(error.contains(part), sourceLocation: sourceLocation) }
        #expect(output == "", sourceLocation: sourceLocation)
    }
}

/// The built executable `durable` as a process of its own. Its temporary files, and those of all that it starts, go to a
/// directory of their own, whose path is in the environment of all these processes.
final class Tool {
    struct Failure: Error, CustomStringConvertible { let description: String }

    /// Where output files and temporary directories are.
    let scratch: ScratchDirectory
    let pid: Int32
    /// The end of a socket pair that is the tool's standard input.
    private var input: Int32
    private var status: Int32?

    /// Where the executable is: beside the tests.
    static var path: String {
        get throws {
            let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
            let path = URL(fileURLWithPath: tests).deletingLastPathComponent().appendingPathComponent("durable").path
            try #require(access(path, X_OK) == 0, "\(path) was not built")
            return path
        }
    }

    /// Starts the tool with default signal handlers, and with a standard input that stays open until `closeInput`.
    /// - Parameters:
    ///   - output: Where standard output goes; a file that `wait` reads by default.
    ///   - temporary: Where temporary directories are made; the scratch directory by default.
    ///   - prefix: A command that runs the tool in its own place, with its arguments.
    init(
        _ arguments: [String],
        output: String? = nil,
        temporary: String? = nil,
        prefix: [String] = []
    ) throws {
        let scratch = try ScratchDirectory()
        self.scratch = scratch
        try FileManager.default.createDirectory(atPath: scratch.file("tmp"), withIntermediateDirectories: false)
        var ends: [Int32] = [-1, -1]
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        try #require(socketpair(AF_UNIX, kind, 0, &ends) == 0)
        input = ends[1]
        defer { close(ends[0]) }

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[0], 0)
        let create = O_WRONLY | O_CREAT
        posix_spawn_file_actions_addopen(&actions, 1, output ?? scratch.file("stdout"), create, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, scratch.file("stderr"), create, 0o600)

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

        var environment = ProcessInfo.processInfo.environment
        environment["TMPDIR"] = temporary ?? scratch.file("tmp")
        environment["CLI_SCRATCH"] = scratch.path
        let words = prefix + [try Self.path] + arguments
        var argv = words.map { strdup($0) } + [nil]
        var envp = environment.map { strdup("\($0)=\($1)") } + [nil]
        defer { for pointer in argv + envp { free(pointer) } }
        var pid: Int32 = 0
        let error = posix_spawnp(&pid, words[0], &actions, &attributes, &argv, &envp)
        guard error == 0 else { throw Failure(description: "\(words[0]): \(String(cString: strerror(error)))") }
        self.pid = pid
    }

    deinit {
        closeInput()
        guard status == nil else { return }
        kill(pid, SIGKILL)
        waitpid(pid, nil, 0)
    }

    /// Runs the tool to its end.
    static func run(_ arguments: [String], input: String = "", temporary: String? = nil) async throws -> Ending {
        let tool = try Tool(arguments, temporary: temporary)
        tool.write(input)
        let ending = try await tool.wait()
        try await tool.expectNothingLeft()
        return ending
    }

    /// What it has written to stderr so far.
    var error: String { get throws { try text("stderr") } }

    /// Whether it has a handler for this signal.
    func catches(_ signal: Int32) -> Bool { mask("SigCgt:") & 1 << (signal - 1) != 0 }

    /// Sends a signal and waits until it has arrived: one that is pending would swallow the next of its kind.
    func send(_ signal: Int32) async throws {
        kill(pid, signal)
        try await eventually("signal \(signal)") {
            mask("ShdPnd:")
        } is: {
            $0 & 1 << (signal - 1) == 0
        }
    }

    private func mask(_ name: String) -> UInt64 {
        let status = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
        let line = status?.split(separator: "\n").first { $0.hasPrefix(name) }
        return line.flatMap { UInt64($0.dropFirst(name.count).trimmingCharacters(in: .whitespaces), radix: 16) } ?? 0
    }

    /// Writes a short text to its standard input, and closes that.
    func write(_ text: String) {
        _ = Array(text.utf8).withUnsafeBytes { Glibc.send(input, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        closeInput()
    }

    func closeInput() {
        if input >= 0 { close(input) }
        input = -1
    }

    /// Waits for its end; kills it after a minute.
    func wait() async throws -> Ending {
        let deadline = ContinuousClock.now + .seconds(60)
        var status: Int32 = 0
        while waitpid(pid, &status, WNOHANG) == 0 {
            guard ContinuousClock.now < deadline else {
                let failure = Failure(description: "durable does not end; it wrote: \(try error)")
                throw failure
            }
            try await Task.sleep(for: .milliseconds(2))
        }
        self.status = status
        return Ending(status: status, output: try text("stdout"), error: try error)
    }

    /// The processes, other than the tool itself, that it or its descendants started and that live.
    var descendants: [Int32] {
        let mark = Array("CLI_SCRATCH=\(scratch.path)\0".utf8)
        return RuntimeDirectory.entries(of: "/proc").compactMap { Int32($0) }.filter { process in
            // What has ended has no environment any more.
            process != pid
                && FileManager.default.contents(atPath: "/proc/\(process)/environ")?.range(of: Data(mark)) != nil
        }
    }

    /// Checks that no process of the tool does anything and that no temporary file is left, and waits for the end of
    /// those that hold the memory of dead workers: they live some milliseconds longer, and have nothing else open.
    func expectNothingLeft(
        within patience: Duration = .zero,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let deadline = ContinuousClock.now + patience
        while ContinuousClock.now < deadline, !working.isEmpty || !temporaryFiles.isEmpty {
            try await Task.sleep(for: .milliseconds(5))
        }
        let left = working
        #expect(left.isEmpty, "\(left.map(Self.described))", sourceLocation: sourceLocation)
        for process in left { kill(process, SIGKILL) }
        #expect(temporaryFiles == [], sourceLocation: sourceLocation)
        try await eventually("nothing holds memory", { descendants }, is: { $0.isEmpty })
    }

    /// Those that have more open than what tells them of another one's end.
    private var working: [Int32] { descendants.filter { RuntimeDirectory.entries(of: "/proc/\($0)/fd").count > 1 } }

    var temporaryFiles: [String] { RuntimeDirectory.entries(of: scratch.file("tmp")) }

    /// The supervisors and the workers that run, told apart by where their stderr goes.
    var supervisors: Set<Int32> { processes(writing: "/supervisor/log") }
    var workers: Set<Int32> { processes(writing: "/supervisor/stderr/") }

    private func processes(writing file: String) -> Set<Int32> {
        Set(
            descendants.filter { process in
                let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process)/fd/2")
                return target?.contains(file) == true
            }
        )
    }

    /// The letter that the kernel gives for what a process does: `T` when it was stopped.
    func state(of process: Int32) -> Character? {
        let status = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
        return status?.split(separator: ")").last?.first { $0 != " " }
    }

    private static func described(_ process: Int32) -> String {
        let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process)/fd/2")
        return "\(process) writing to \(target ?? "nothing")"
    }

    private func text(_ name: String) throws -> String {
        guard let bytes = FileManager.default.contents(atPath: scratch.file(name)) else { return "" }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// Waits for a condition, up to thirty seconds; throws with the last value seen when it does not come true.
func eventually<Value>(
    _ what: String,
    _ value: () async throws -> Value,
    is condition: (Value) -> Bool
) async throws {
    let deadline = ContinuousClock.now + .seconds(30)
    var last = try await value()
    while !condition(last) {
        guard ContinuousClock.now < deadline else {
            throw Tool.Failure(description: "\(what) did not come about; last seen: \(last)")
        }
        try await Task.sleep(for: .milliseconds(2))
        last = try await value()
    }
}

/// A small file system in memory, for which the tests need the right to mount.
final class SmallDisk {
    let path: String
    private let scratch: ScratchDirectory

    init(kibibytes: Int) throws {
        scratch = try ScratchDirectory()
        path = scratch.file("disk")
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        guard mount("tmpfs", path, "tmpfs", 0, "size=\(kibibytes)k,mode=0700") == 0 else {
            let reason = String(cString: strerror(errno))
            throw Tool.Failure(
                description: "this test mounts a small file system, for which it needs root: \(reason)"
            )
        }
    }

    func makeReadOnly() throws {
        let flags = UInt(MS_REMOUNT | MS_RDONLY)
        guard mount("tmpfs", path, "tmpfs", flags, nil) == 0 else {
            throw Tool.Failure(description: "the disk stays writable: \(String(cString: strerror(errno)))")
        }
    }

    deinit { umount2(path, Int32(MNT_DETACH)) }
}
