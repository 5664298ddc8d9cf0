import DurableActors
import DurableSupervisor
import Foundation
import Glibc
import Testing

/// What a program keeps of the supervisors that it started: nothing.
@Suite(.serialized) struct ZombieTests {
    /// Waits until a process is not even an ended child of this one any more.
    private func reaped(_ pid: Int32) async throws {
        let own = getpid()
        try await eventually("supervisor \(pid) is no child any more") {
            Processes.children(of: own).first { $0.pid == pid }?.state
        } is: {
            $0 == nil
        }
    }

    /// How many runtimes of this process have a thread.
    private func loops() -> Int {
        RuntimeDirectory.entries(of: "/proc/self/task").filter { task in
            (try? String(contentsOfFile: "/proc/self/task/\(task)/comm", encoding: .utf8)) == "durable\n"
        }.count
    }

    @Test func `a supervisor that ends with its last runtime leaves no dead child`() async throws {
        let runtime = try await ActorRuntime.start()
        let supervisor = try #require(runtime.supervisorProcessID)
        #expect(Processes.children(of: getpid()).contains { $0.pid == supervisor })
        await runtime.shutdown()
        try await reaped(supervisor)
    }

    @Test func `a supervisor that outlives the runtime and is killed later leaves no dead child`() async throws {
        let scratch = ScratchDirectory()
        let loopsBefore = loops()
        let runtime = try await ActorRuntime.start(directory: scratch.file("data"))
        let counter = try await runtime.getOrCreate(Counter.self, name: "detached")
        #expect(try await counter.add(1) == 1)
        let (supervisor, worker) = (try #require(runtime.supervisorProcessID), try await runtime.process(of: counter))
        await runtime.shutdown()
        #expect(Processes.isAlive(supervisor), "a detached actor keeps its supervisor")
        // Nothing of the runtime is there any more that could see the supervisor end.
        try await eventually("the runtime's thread is gone") {
            loops()
        } is: {
            $0 <= loopsBefore
        }
        kill(supervisor, SIGKILL)
        kill(worker, SIGKILL)
        try await reaped(supervisor)
    }

    @Test func `a supervisor that is killed and replaced leaves no dead child, and neither does the next`() async throws
    {
        let runtime = try await ActorRuntime.start()
        let counter = try await runtime.spawn(Counter.self, options: .resilient)
        #expect(try await counter.add(1) == 1)
        let first = try #require(runtime.supervisorProcessID)
        kill(first, SIGKILL)
        try await eventually("another supervisor serves") {
            runtime.supervisorProcessID
        } is: {
            $0 != nil && $0 != first
        }
        let second = try #require(runtime.supervisorProcessID)
        try await reaped(first)
        await runtime.shutdown()
        try await reaped(second)
    }

    @Test func `the statuses of the program's other children are left alone`() async throws {
        let runtime = try await ActorRuntime.start()
        let supervisor = try #require(runtime.supervisorProcessID)
        var child: pid_t = 0
        let arguments = ["/bin/sh", "-c", "exit 7"].map { (text: String) in strdup(text) }
        defer { for argument in arguments { free(argument) } }
        #expect(posix_spawn(&child, "/bin/sh", nil, nil, arguments + [nil], nil) == 0)
        await runtime.shutdown()
        try await reaped(supervisor)
        var status: Int32 = 0
        #expect(waitpid(child, &status, 0) == child)
        #expect(status >> 8 & 0xff == 7)
    }
}
