import DurableCore
import DurableProcess
import Glibc
import Testing

@Suite("Faults at named points")
struct FaultTests {
    @Test("a process ends as its fault says, at the passage that it names")
    func end() throws {
        let ends: [(String, ExitStatus)] = [
            ("kill", .signalled(signal: SIGKILL, coreDumped: false)),
            ("abort", .signalled(signal: SIGABRT, coreDumped: false)),
            ("exit", .exited(code: 0)),
        ]
        for (action, expected) in ends {
            let (lines, status) = try play("fault", "workerAfterCommit:2:\(action)")
            #expect(lines == ["passed"], "\(action)")
            #expect(status == expected, "\(action)")
        }
    }

    @Test("a delay holds up one passage, a skip leaves out one step")
    func pass() throws {
        #expect(try play("fault", "workerAfterCommit:2:delay").lines == ["passed", "passed late", "passed", "done"])
        #expect(try play("fault", "workerAfterCommit:2:skip").lines == ["passed", "left out", "passed", "done"])
        #expect(try play("fault", "workerAfterCommit:2@1:skip").lines.contains("left out"))
        #expect(try !play("fault", "workerAfterCommit:2@2:skip").lines.contains("left out"))
    }

    @Test("a process that a fault stops goes on when somebody continues it")
    func stop() throws {
        let image = try testChild()
        var pair = try SocketPair()
        var configuration = SpawnConfiguration(
            image: image,
            arguments: [image.path, "fault", "workerAfterCommit:2:stop"]
        )
        configuration.role = .worker
        configuration.controlSocket = pair.remote
        let child = try ProcessHandle.spawn(configuration)
        close(pair.takeRemote())
        #expect(read(from: pair.local, until: "passed\n") == "passed\n")
        #expect(!child.waitUntilEnded(for: .milliseconds(100)))
        // Until it stands still, a continuation would be lost.
        #expect(eventually { child.signal(SIGCONT) && child.waitUntilEnded(for: .milliseconds(1)) })
        #expect(read(from: pair.local) == "passed\npassed\ndone\n")
        #expect(status(of: child) == .exited(code: 0))
    }
}
