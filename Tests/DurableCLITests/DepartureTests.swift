import DurableActors
import Foundation
import Glibc
import Synchronization
import Testing

@testable import durable

/// What the demonstration says of its end is what it has seen.
@Suite("The end of a run", .timeLimit(.minutes(1)))
struct DepartureTests {
    /// A process that writes its stderr to a file of the runtime, as a worker does, and ends by a signal only.
    private func forgottenWorker(of runtime: ActorRuntime) throws -> Process {
        let file = "\(runtime.directory)/supervisor/stderr/999999"
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sleep")
        process.arguments = ["600"]
        #expect(FileManager.default.createFile(atPath: file, contents: nil))
        process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: file))
        try process.run()
        return process
    }

    @Test(
        "a process that stays is waited for, then killed and named; a temporary directory goes",
        arguments: [true, false]
    )
    func killsWhatStays(isTemporary: Bool) async throws {
        let scratch = try ScratchDirectory()
        let directory = isTemporary ? nil : scratch.file("data")
        let runtime = try await ActorRuntime.start(directory: directory)
        let departure = Departure(runtime, isTemporary: isTemporary, patience: .milliseconds(500))
        let worker = try forgottenWorker(of: runtime)
        let outcome = await departure.leave()
        guard case .killed(let processes) = outcome else {
            Issue.record("\(outcome)")
            kill(worker.processIdentifier, SIGKILL)
            return
        }
        #expect(processes.map(\.pid) == [worker.processIdentifier])
        #expect(departure.text(outcome) == "killed worker \(worker.processIdentifier); nothing is left running")
        worker.waitUntilExit()
        #expect(worker.terminationReason == .uncaughtSignal && worker.terminationStatus == SIGKILL)
        #expect(FileManager.default.fileExists(atPath: runtime.directory) == !isTemporary)
    }

    @Test("the promise is not made while a process that cannot be killed runs, and the process is named")
    func namesWhatIsStuck() async throws {
        let stuck = RuntimeProcesses.Found(pid: 12, startTime: 3, isSupervisor: false)
        let runtime = try await ActorRuntime.start()
        let departure = Departure(runtime, isTemporary: true)
        let text = departure.text(.stuck([stuck]))
        #expect(text.contains("worker 12") && !text.contains("nothing is left"))
        #expect(await departure.leave() == .clean)
        #expect(departure.text(.clean) == "nothing is left running")
    }

    @Test("a runtime that detached actors keep is left alone")
    func sparesDetachedActors() async throws {
        let scratch = try ScratchDirectory()
        let runtime = try await ActorRuntime.start(directory: scratch.file("data"))
        let notes = try await runtime.spawn(Notebook.self, options: .default.detached(name: "notes"))
        let pid = try await notes.processID()
        let departure = Departure(runtime, isTemporary: false)
        #expect(await departure.leave() == .shared)
        departure.force { #expect($0 == .shared) }
        #expect(kill(pid, 0) == 0)
        #expect(departure.text(.shared).contains("other programs go on using \(scratch.file("data"))"))
        try await killEverything(in: runtime.directory)
    }

    @Test("a runtime that was left is not started again, however late its driver gets to hear that it has left")
    func leavesOnce() async throws {
        let scratch = try ScratchDirectory()
        let runtime = try await ActorRuntime.start(directory: scratch.file("data"))
        let notes = try await runtime.spawn(Notebook.self)
        _ = try await notes.processID()
        let processes = RuntimeProcesses(runtime.directory)
        let first = try #require(processes.living().first { $0.isSupervisor })
        let leaving = Task.detached { await runtime.shutdown() }
        // Keeps the threads busy on which the answer would be handled.
        let busy = (0..<8).map { _ in Task.detached { _ = usleep(200_000) } }
        await leaving.value
        for task in busy { await task.value }
        try await eventually("the supervisor's end") {
            processes.living()
        } is: {
            !$0.contains(first)
        }
        #expect(processes.living().filter(\.isSupervisor) == [])
        try await killEverything(in: runtime.directory)
    }

    @Test("force leaves neither a process nor the supervisor that this process would start next")
    func forces() async throws {
        let scratch = try ScratchDirectory()
        let runtime = try await ActorRuntime.start(directory: scratch.file("data"))
        var options = ActorOptions.resilient
        options.namespace = Departure.namespace
        let notes = try await runtime.spawn(Notebook.self, options: options)
        _ = try await notes.processID()
        let departure = Departure(runtime, isTemporary: false)
        let seen = Mutex<[RuntimeProcesses.Found]>([])
        departure.force { outcome in
            guard case .killed(let processes) = outcome else {
                Issue.record("\(outcome)")
                return
            }
            #expect(processes.first?.isSupervisor == true)
            #expect(processes.count >= 2)
            // The keeper has noticed by now, and would have started a supervisor.
            for _ in 0..<50 {
                seen.withLock { $0 += RuntimeProcesses(runtime.directory).living() }
                usleep(2000)
            }
        }
        #expect(seen.withLock(\.self).isEmpty)
        let outcome = await departure.leave()
        #expect(outcome == .clean, "\(outcome)")
    }
}
