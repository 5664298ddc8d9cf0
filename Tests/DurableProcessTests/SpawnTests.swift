import Glibc
import Testing

@testable import DurableProcess

@Suite("Starting processes")
struct SpawnTests {
    @Test("an exit code comes back as it was given", arguments: [0, 1, 42, 255] as [Int32])
    func exitCode(code: Int32) throws {
        let child = try ProcessHandle.spawn(try shell("exit \(code)"))
        #expect(status(of: child) == .exited(code: code))
        #expect(child.reap() == .exited(code: code), "the answer is repeated")
        #expect(!child.isAlive)
    }

    @Test("a deadly signal comes back as that signal", arguments: [SIGKILL, SIGTERM, SIGUSR1, SIGSEGV])
    func deadlySignal(signal: Int32) throws {
        let child = try ProcessHandle.spawn(try sleeper())
        #expect(child.isAlive)
        #expect(child.reap() == nil)
        #expect(child.signal(signal))
        #expect(status(of: child) == .signalled(signal: signal, coreDumped: false))
        #expect(!child.signal(SIGTERM), "a process that was reaped takes no signals")
    }

    @Test("what cannot be executed is an error with the system's number, and no process")
    func executionFailure() throws {
        let noProgram = SpawnConfiguration(image: try .open(path: "/etc/passwd"))
        let notExecutable = #expect(throws: ProcessError.self) { try ProcessHandle.spawn(noProgram) }
        #expect(notExecutable?.errno == EACCES)
        #expect(notExecutable?.code == .executableUnusable)
        #expect(notExecutable?.message.contains("execveat") == true)

        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/program"
        let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o700)
        #expect(write(descriptor, "nonsense", 8) == 8)
        close(descriptor)
        let badFormat = #expect(throws: ProcessError.self) {
            try ProcessHandle.spawn(SpawnConfiguration(image: try .open(path: path)))
        }
        #expect(badFormat?.errno == ENOEXEC)
        #expect(throws: ProcessError.self) { try ExecutableImage.open(path: "\(directory.path)/none") }
        #expect(throws: ProcessError.self) { try ExecutableImage.open(path: directory.path) }
    }

    @Test("a descriptor that is not open fails the start and names the step")
    func closedDescriptor() throws {
        var configuration = try sleeper()
        configuration.standardError = 1_000_000
        let error = #expect(throws: ProcessError.self) { try ProcessHandle.spawn(configuration) }
        #expect(error?.errno == EBADF)
        #expect(error?.message.contains("standard error") == true)
    }

    @Test("what no process can be given is refused before one is started")
    func invalidConfiguration() throws {
        func expectRefused(_ change: (inout SpawnConfiguration) -> Void) throws {
            var configuration = try sleeper()
            change(&configuration)
            let error = #expect(throws: ProcessError.self) { try ProcessHandle.spawn(configuration) }
            #expect(error?.code == .invalidConfiguration)
        }
        try expectRefused { $0.arguments = [] }
        try expectRefused { $0.arguments = ["sleep", "1\u{0}0"] }
        try expectRefused { $0.environment = ["A=B": "c"] }
        try expectRefused { $0.environment = ["": "c"] }
        try expectRefused { $0.environment = ["A": "b\u{0}"] }
        try expectRefused { $0.role = .worker }
    }

    @Test("standard input is the null device and ends at once")
    func standardInput() throws {
        let (text, status) = try output(of: try shell("readlink /proc/self/fd/0; cat | wc -c"))
        #expect(text.split(whereSeparator: \.isWhitespace) == ["/dev/null", "0"])
        #expect(status == .exited(code: 0))
    }

    @Test("a child has descriptors 0 to 3 only, whatever its parent has open")
    func onlyOwnDescriptors() throws {
        // Neither is close-on-exec.
        let extra = (0..<20).map { _ in dup(STDERR_FILENO) }
        defer { extra.forEach { close($0) } }
        let (lines, status) = try play("descriptors")
        #expect(lines.dropLast().map { $0.prefix(1) } == ["0", "1", "2", "3"], "\(lines)")
        #expect(lines.prefix(3).allSatisfy { $0.hasSuffix(" -> /dev/null") }, "\(lines)")
        #expect(lines.count > 3 && lines[3].contains("socket:"), "\(lines)")
        #expect(status == .exited(code: 0))
    }

    @Test("without a control socket a child has no descriptor 3")
    func noControlDescriptor() throws {
        let child = try ProcessHandle.spawn(try shell("kill -STOP $$"))
        #expect(eventually { ProcessStatus(pid: child.pid)?.state == "T" })
        #expect(SystemFiles.numbers(in: "/proc/\(child.pid)/fd") == [0, 1, 2])
        child.kill()
        #expect(status(of: child) == .signalled(signal: SIGKILL, coreDumped: false))
    }

    @Test("descriptors find their places even when they come from each other's")
    func crossedDescriptors() throws {
        // The starting process has its descriptors 0 to 2 closed, so what it opens lands on the child's own numbers.
        let child = try testChild().path
        let script = "exec 0<&- 1>&- 2>&-; DURABLE_ROLE=worker DURABLE_CONTROL_FD=3 exec \"$1\" churn 3"
        var pair = try SocketPair()
        var configuration = try shell(script, child)
        configuration.controlSocket = pair.remote
        let process = try ProcessHandle.spawn(configuration)
        close(pair.takeRemote())
        let report = read(from: pair.local)
        #expect(report == "leaked []\nchildren left false\ndone\n")
        #expect(status(of: process) == .exited(code: 0))
    }

    @Test("a child starts in a session of its own, with clean signals, no cores and a private umask")
    func surroundings() throws {
        signal(SIGUSR1, SIG_IGN)
        defer { signal(SIGUSR1, SIG_DFL) }
        let (lines, status) = try play("surroundings", role: .supervisor)
        #expect(
            lines == [
                "role supervisor", "SWIFT_BACKTRACE=enable=no",
                "signal \(SIGPIPE) ignored", "signal \(SIGXFSZ) ignored",
                "signal \(SIGTERM) not ignored", "signal \(SIGUSR1) not ignored",
                "blocked []", "cores 0 0", "umask 77", "leads true", "control close-on-exec true", "done",
            ]
        )
        #expect(status == .exited(code: 0))
    }

    @Test("five hundred starts and kills leave no descriptor and no zombie")
    func noLeaks() throws {
        let (lines, status) = try play("churn", "500")
        #expect(lines == ["leaked []", "children left false", "done"])
        #expect(status == .exited(code: 0))
    }

    @Test("an image starts after its file was replaced, and tells that it was")
    func replacedImage() throws {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/program"
        #expect(status(of: try .spawn(try shell("cp /bin/sh \"$1\"", path))) == .exited(code: 0))
        let image = try ExecutableImage.open(path: path)
        #expect(image.isStillOnDisk)
        let replacement = try shell("cp /bin/cat \"$1.new\" && mv \"$1.new\" \"$1\"", path)
        #expect(status(of: try .spawn(replacement)) == .exited(code: 0))
        #expect(!image.isStillOnDisk)
        #expect(try ExecutableImage.open(path: path).identity != image.identity)
        let (text, _) = try output(of: SpawnConfiguration(image: image, arguments: ["sh", "-c", "echo still a shell"]))
        #expect(text == "still a shell\n")
    }

    @Test("the current image is the program of this test")
    func currentImage() throws {
        let image = try ExecutableImage.current()
        #expect(image.isStillOnDisk)
        #expect(image.path == SystemFiles.linkTarget("/proc/self/exe"))
    }
}
