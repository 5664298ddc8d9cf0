import DurableCore
import Glibc
import Testing

@testable import DurableProcess

@Suite("Files, pages and sockets of a child")
struct FileTests {
    @Test("a child's standard error reaches the file, which is private")
    func standardError() throws {
        let directory = try TemporaryDirectory()
        let file = try StderrFile(path: "\(directory.path)/stderr")
        var configuration = try shell("echo one >&2; echo two >&2")
        configuration.standardError = file.descriptor
        #expect(status(of: try .spawn(configuration)) == .exited(code: 0))
        #expect(try file.tail(bytesMax: 100) == "one\ntwo\n")
        #expect(try file.tail(bytesMax: 4) == "two\n")
        #expect(try file.tail(bytesMax: 0) == "")
        var status = stat()
        #expect(stat(file.path, &status) == 0 && status.st_mode & 0o777 == 0o600)

        let again = try StderrFile(path: file.path)
        #expect(try again.tail(bytesMax: 100) == "one\ntwo\n", "opening again keeps what is there")
    }

    @Test("trimming keeps the newest bytes exactly")
    func trimming() throws {
        let directory = try TemporaryDirectory()
        let file = try StderrFile(path: "\(directory.path)/stderr")
        // Larger than the chunks of the copy, and overlapping itself.
        let bytes = (0..<300_000).map { UInt8(ascii: "a") + UInt8($0 % 23) }
        #expect(write(file.descriptor, bytes, bytes.count) == bytes.count)
        try file.trim(bytesMax: 300_000)
        #expect(file.byteCount == 300_000)
        for kept in [299_999, 200_000, 70_000, 10, 0] {
            try file.trim(bytesMax: kept)
            #expect(file.byteCount == kept)
            #expect(try file.tail(bytesMax: 400_000) == String(decoding: bytes.suffix(kept), as: UTF8.self))
        }
        #expect(write(file.descriptor, "new", 3) == 3)
        #expect(try file.tail(bytesMax: 400_000) == "new", "the descriptor appends at the new end")
    }

    @Test("text that is no UTF-8 is repaired")
    func repair() throws {
        let directory = try TemporaryDirectory()
        let file = try StderrFile(path: "\(directory.path)/stderr")
        #expect(write(file.descriptor, [0xFF, 0x61, 0xC3, 0xA4, 0x0A] as [UInt8], 5) == 5)
        #expect(try file.tail(bytesMax: 5) == "\u{FFFD}aä\n")
        #expect(try file.tail(bytesMax: 2) == "\u{FFFD}\n")
    }

    @Test("trimming while the child appends keeps order, leaves no holes, and keeps the last line")
    func concurrentTrimming() throws {
        let directory = try TemporaryDirectory()
        let file = try StderrFile(path: "\(directory.path)/stderr")
        var configuration = try shell("i=0; while :; do i=$((i+1)); echo \"line $i.\" >&2; done")
        configuration.standardError = file.descriptor
        let child = try ProcessHandle.spawn(configuration)
        for _ in 0..<100 {
            #expect(eventually { file.byteCount > 2000 })
            try file.trim(bytesMax: 1000)
            #expect(try !file.tail(bytesMax: 1 << 20).contains("\0"), "a hole")
        }
        child.kill()
        #expect(status(of: child) == .signalled(signal: SIGKILL, coreDumped: false))
        let last = "line 999999999.\n"
        #expect(write(file.descriptor, last, last.utf8.count) == last.utf8.count)
        try file.trim(bytesMax: 1000)
        #expect(file.byteCount <= 1000)
        // The first line may be cut.
        let lines = try file.tail(bytesMax: 1 << 20).split(separator: "\n").dropFirst()
        let numbers = lines.compactMap { Int($0.dropFirst(5).dropLast()) }
        #expect(numbers.count == lines.count, "\(lines)")
        #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $0 < $1 }, "\(numbers)")
        #expect(numbers.last == 999_999_999)
    }

    @Test("only regular files collect standard error")
    func irregularFiles() throws {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/other"
        #expect(mkfifo(path, 0o600) == 0)
        #expect(throws: ProcessError.self) { try StderrFile(path: path) }
        #expect(throws: ProcessError.self) { try StderrFile(path: directory.path) }
        unlink(path)
        #expect(symlink("/tmp/nowhere", path) == 0)
        #expect(throws: ProcessError.self) { try StderrFile(path: path) }
        #expect(throws: ProcessError.self) { try StderrFile(path: "\(directory.path)/none/stderr") }
    }

    @Test("counters on the page survive the worker's SIGKILL, and the worker cannot shrink the page")
    func pageSurvivesDeath() throws {
        let page = try WorkerPage()
        #expect([page.turnsCompleted, page.heartbeat, page.job] == [0, 0, 0])
        let image = try testChild()
        var pair = try SocketPair()
        var configuration = SpawnConfiguration(image: image, arguments: [image.path, "page"])
        configuration.role = .worker
        configuration.controlSocket = pair.remote
        configuration.standardOutput = page.descriptor
        let child = try ProcessHandle.spawn(configuration)
        close(pair.takeRemote())
        #expect(read(from: pair.local, until: "\n") == "counted, shrinking refused\n")
        child.kill()
        #expect(status(of: child) == .signalled(signal: SIGKILL, coreDumped: false))
        #expect([page.turnsCompleted, page.heartbeat, page.job] == [1000, 123_456_789, .max])
    }

    @Test("a note is read after the worker's SIGKILL as it was written, or not at all")
    func notesAreNeverTorn() throws {
        let image = try testChild()
        var found = 0
        for round in 0..<20 {
            let page = try WorkerPage()
            var pair = try SocketPair()
            var configuration = SpawnConfiguration(image: image, arguments: [image.path, "notes"])
            configuration.role = .worker
            configuration.controlSocket = pair.remote
            configuration.standardOutput = page.descriptor
            let child = try ProcessHandle.spawn(configuration)
            close(pair.takeRemote())
            #expect(read(from: pair.local, until: "\n") == "noting\n")
            usleep(UInt32(round * 97))
            child.kill()
            #expect(status(of: child) == .signalled(signal: SIGKILL, coreDumped: false))
            for note in page.crashScene.notes {
                found += 1
                let number = note.job
                let call = CallID(session: SessionID(high: number, low: number), sequence: number)
                #expect(note.suspect == .call(ActorID(high: number, low: number), call))
            }
        }
        #expect(found > 0, "most kills find a note")
    }

    @Test("notes stand in their places until they are cleared, and there is room for so many")
    func notesHavePlaces() throws {
        let page = try WorkerPage()
        #expect(page.crashScene == CrashScene())
        let actor = ActorID(high: 1, low: 2)
        let call = Suspect.call(actor, CallID(session: SessionID(high: 3, low: 4), sequence: 5))
        page.job = 8
        for place in 0..<WorkerPage.notesMax { page.note(place == 1 ? .start(actor) : call, job: 6, at: place) }
        page.note(call, job: 7, at: WorkerPage.notesMax)
        page.clearNote(at: 0)
        let notes = page.crashScene.notes
        #expect(notes.count == WorkerPage.notesMax - 1, "a place beyond the last does not exist")
        #expect(notes.first == CrashScene.Note(.start(actor), job: 6))
        #expect(notes.last == CrashScene.Note(call, job: 6))
        #expect(page.crashScene.job == 8)
        page.note(call, job: 9, at: 1)
        #expect(page.crashScene.blamed.count == WorkerPage.notesMax - 1, "job 8 is nobody's")
        page.job = 9
        #expect(page.crashScene.blamed == [call])
    }

    @Test("only a worker page is adopted as one")
    func strangePages() throws {
        let null = open("/dev/null", O_RDWR | O_CLOEXEC)
        defer { close(null) }
        let error = #expect(throws: ProcessError.self) { try WorkerPage(adopting: null) }
        #expect(error?.code == .invalidConfiguration)
        #expect(fcntl(null, F_GETFD) >= 0, "a refused descriptor stays the caller's")
        #expect(throws: ProcessError.self) { try WorkerPage(adopting: -1) }
        let page = try WorkerPage()
        let other = try WorkerPage(adopting: dup(page.descriptor))
        other.addTurnsCompleted(5)
        #expect(page.turnsCompleted == 5)
    }

    @Test("a socket pair is connected, close-on-exec, and closes what was not taken")
    func socketPair() throws {
        var taken: Int32 = -1
        var numbers: [Int32] = []
        do {
            var pair = try SocketPair()
            numbers = [pair.local, pair.remote]
            #expect(numbers.allSatisfy { fcntl($0, F_GETFD) & FD_CLOEXEC != 0 })
            taken = pair.takeLocal()
            #expect(pair.local == -1)
            #expect(taken == numbers[0])
            #expect(write(pair.remote, "x", 1) == 1)
        }
        defer { close(taken) }
        #expect(read(from: taken) == "x", "the end that was left is closed, so reading ends")
    }

    @Test("open descriptors are listed with what they lead to")
    func openDescriptors() throws {
        let null = open("/dev/null", O_RDONLY | O_CLOEXEC)
        #expect(OpenDescriptors.list().contains { $0.descriptor == null && $0.target == "/dev/null" })
        #expect(OpenDescriptors.count() > 3)
        close(null)
    }

    @Test("kills for want of memory are counted under both versions of control groups")
    func outOfMemoryKills() {
        let version1 = "9:name=systemd:/\n4:memory,hugetlb:/a/b:c\n0::/\n"
        #expect(
            ControlGroupFiles.candidates(groups: version1).prefix(2)
                == ["/sys/fs/cgroup/memory/a/b:c/memory.oom_control", "/sys/fs/cgroup/memory/memory.oom_control"]
        )
        #expect(ControlGroupFiles.candidates(groups: "0::/x\n").first == "/sys/fs/cgroup/x/memory.events")
        #expect(ControlGroupFiles.candidates(groups: "nonsense").isEmpty)
        #expect(ControlGroupFiles.oomKills(in: "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n") == 3)
        #expect(ControlGroupFiles.oomKills(in: "low 0\nhigh 0\nmax 0\noom 1\noom_kill 2\noom_group_kill 0\n") == 2)
        #expect(ControlGroupFiles.oomKills(in: "oom_kill_disable 0\n") == nil)
    }

    @Test("a process's name may look like the rest of its status")
    func statusLines() {
        let rest = (5...52).map(String.init).joined(separator: " ")
        let status = ProcessStatus(line: "17 (a) S 1 (b)) R 4 \(rest)\n")
        #expect(status?.state == "R")
        #expect(status?.parent == 4)
        #expect(status?.startTime == 22)
        #expect(ProcessStatus(line: "17 (short) R 4") == nil)
        #expect(ProcessStatus(pid: getpid())?.parent == getppid())
    }
}
