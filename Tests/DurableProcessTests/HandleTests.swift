import Glibc
import Testing

@testable import DurableProcess

@Suite("Watching and ending processes")
struct HandleTests {
    @Test("the pidfd becomes readable when the process dies, and not before")
    func readability() throws {
        let child = try ProcessHandle.spawn(try sleeper())
        var entry = pollfd(fd: child.descriptor, events: Int16(POLLIN), revents: 0)
        #expect(poll(&entry, 1, 0) == 0)
        #expect(!child.waitUntilEnded(for: .milliseconds(1)))
        child.kill()
        #expect(poll(&entry, 1, 20_000) == 1)
        #expect(!child.isAlive)
        #expect(child.reap() == .signalled(signal: SIGKILL, coreDumped: false))
    }

    @Test("a process is adopted by pid and start time, and by no other start time")
    func adoption() throws {
        let child = try ProcessHandle.spawn(try sleeper())
        #expect(child.startTime > 0)
        let adopted = try #require(try ProcessHandle.adopt(pid: child.pid, startTime: child.startTime))
        #expect(adopted.pid == child.pid)
        #expect(adopted.isAlive)
        #expect(try ProcessHandle.adopt(pid: child.pid, startTime: child.startTime + 1) == nil)
        #expect(try ProcessHandle.adopt(pid: child.pid, startTime: 0) == nil)

        #expect(adopted.kill())
        #expect(child.waitUntilEnded(for: .seconds(20)))
        #expect(try ProcessHandle.adopt(pid: child.pid, startTime: child.startTime) == nil, "it ended, unreaped")
        #expect(child.reap() == .signalled(signal: SIGKILL, coreDumped: false))
        #expect(adopted.reap() == .unknown, "its status is taken")
        #expect(try ProcessHandle.adopt(pid: child.pid, startTime: child.startTime) == nil, "it is gone")
        #expect(throws: ProcessError.self) { try ProcessHandle.adopt(pid: 0, startTime: 1) }
    }

    @Test("a child outlives its parent, and can be adopted, killed and found gone by a stranger")
    func parentDeath() throws {
        let (lines, parentStatus) = try play("spawn-and-die")
        #expect(parentStatus == .signalled(signal: SIGKILL, coreDumped: false))
        let fields = try #require(lines.first).split(separator: " ")
        let pid = try #require(Int32(fields[0]))
        let startTime = try #require(UInt64(fields[1]))
        let orphan = try #require(try ProcessHandle.adopt(pid: pid, startTime: startTime))
        // Its parent is dead and gone: whatever would have ended it has had its occasion.
        #expect(orphan.isAlive)
        #expect(orphan.reap() == nil)
        #expect(orphan.kill())
        #expect(orphan.waitUntilEnded(for: .seconds(20)))
        #expect(orphan.reap() == .unknown)
    }

    @Test("killing the group ends what the process has started")
    func killGroup() throws {
        var pair = try SocketPair()
        var configuration = try shell("sleep 1000 & echo $!; wait")
        configuration.standardOutput = pair.remote
        let child = try ProcessHandle.spawn(configuration)
        close(pair.takeRemote())
        let text = read(from: pair.local, until: "\n").dropLast()
        let grandchild = try #require(Int32(text))
        let startTime = try #require(ProcessStatus(pid: grandchild)).startTime
        let adopted = try #require(try ProcessHandle.adopt(pid: grandchild, startTime: startTime))
        #expect(child.killGroup())
        #expect(status(of: child) == .signalled(signal: SIGKILL, coreDumped: false))
        #expect(adopted.waitUntilEnded(for: .seconds(20)))
    }

    @Test("orphans are reaped around the ended processes that somebody watches")
    func orphans() throws {
        let (lines, status) = try play("orphans")
        #expect(lines == ["first true", "second true", "third true", "watched true", "dropped true", "done"])
        #expect(status == .exited(code: 0))
    }

    @Test("reaping orphans at the same time never takes the status of a watched child")
    func contention() throws {
        let (lines, status) = try play("contend")
        #expect(lines == ["stolen 0", "done"])
        #expect(status == .exited(code: 0))
    }

    @Test("teardown leaves it at asking when the process complies")
    func complyingTeardown() throws {
        let child = try ProcessHandle.spawn(try sleeper())
        let teardown = Teardown(patience: .seconds(20))
        #expect(teardown.end(child) == .complied(.signalled(signal: SIGTERM, coreDumped: false)))
        #expect(teardown.end(child) == .alreadyEnded(.signalled(signal: SIGTERM, coreDumped: false)))
    }

    @Test("teardown kills a process that ignores being asked")
    func escalatingTeardown() throws {
        var pair = try SocketPair()
        var configuration = try shell("trap '' TERM; echo ready; exec sleep 1000")
        configuration.standardOutput = pair.remote
        let child = try ProcessHandle.spawn(configuration)
        close(pair.takeRemote())
        #expect(read(from: pair.local, until: "\n") == "ready\n")
        #expect(
            Teardown(patience: .milliseconds(50)).end(child) == .killed(.signalled(signal: SIGKILL, coreDumped: false))
        )
        #expect(!child.isAlive)
    }

    @Test("teardown of many keeps their order, shares the patience and asks in the given way")
    func manyTeardowns() throws {
        let ended = try ProcessHandle.spawn(try shell("exit 7"))
        #expect(ended.waitUntilEnded(for: .seconds(20)))
        let complying = try ProcessHandle.spawn(try sleeper())
        let refusing = try (0..<3).map { _ in
            let child = try ProcessHandle.spawn(try sleeper())
            child.signal(SIGSTOP)
            // Signals that wait together are taken lowest first: before it has stopped, the next one could end it.
            #expect(eventually { ProcessStatus(pid: child.pid)?.state == "T" })
            return child
        }
        let clock = ContinuousClock()
        let start = clock.now
        var asked: [Int32] = []
        let outcomes = Teardown(patience: .seconds(2)).end([ended] + refusing + [complying]) { process in
            asked.append(process.pid)
            process.signal(SIGUSR1)
        }
        let killed = Teardown.Outcome.killed(.signalled(signal: SIGKILL, coreDumped: false))
        #expect(
            outcomes == [
                .alreadyEnded(.exited(code: 7)), killed, killed, killed,
                .complied(.signalled(signal: SIGUSR1, coreDumped: false)),
            ]
        )
        #expect(asked == (refusing + [complying]).map(\.pid))
        #expect(clock.now - start < .seconds(6), "three refusals one after another would take six seconds")
    }

    @Test(
        "waits are cut to whole milliseconds upwards",
        arguments: [
            (Duration.zero, 0), (.nanoseconds(1), 1), (.milliseconds(3), 3), (.microseconds(3001), 4),
            (.seconds(59), 59_000), (.seconds(1_000_000_000_000), 60_000), (.seconds(-1), 0),
        ] as [(Duration, Int32)]
    )
    func timeouts(duration: Duration, milliseconds: Int32) {
        #expect(PollTimeout.milliseconds(duration) == milliseconds)
    }
}
