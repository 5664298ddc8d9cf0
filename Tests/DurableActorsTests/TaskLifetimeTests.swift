import DurableActors
import Foundation
import Glibc
import Testing

/// What tasks leave behind, and where they belong.
@Suite(.serialized, .timeLimit(.minutes(3))) struct TaskLifetimeTests {
    @Test func `workers end with the driver's runtime`() async throws {
        let scratch = ScratchDirectory()
        let keeper = try await ActorRuntime.start(directory: scratch.path)
        let process = try await ActorRuntime.withRuntime(directory: scratch.path) { runtime in
            let process = try await runtime.run(WhereaboutsTask()).process
            #expect(Processes.isAlive(process))
            let counter = try await runtime.run(FoundingTask(amount: 1))
            #expect(try await runtime.actors().map(\.id) == [counter.id])
            return process
        }
        try await eventually("the worker and what the task spawned are gone") {
            try await keeper.taskWorkers().map(\.id) + keeper.actors().map(\.id)
        } is: {
            $0.isEmpty
        }
        try await eventually("the process has ended") {
            Processes.isAlive(process)
        } is: {
            !$0
        }
        await keeper.shutdown()
        let late = await failure { _ = try await keeper.run(SquareTask(x: 1)) }
        #expect(late?.code == .runtimeStopped)
    }

    @Test func `a task that runs when the runtime is shut down fails, and its worker ends`() async throws {
        let scratch = ScratchDirectory()
        let runtime = try await ActorRuntime.start()
        let (hold, log) = (scratch.file("hold"), scratch.file("log"))
        _ = Attempts.note(in: hold)
        let refs = (0..<20).map { runtime.submit(StepTask(number: $0, hold: hold, log: log)) }
        try await eventually("a task has begun") {
            Notes.lines(of: log).count
        } is: {
            $0 > 0
        }
        let processes = try await runtime.taskWorkers().compactMap(\.processID)
        #expect(!processes.isEmpty)
        await runtime.shutdown()
        for ref in refs {
            let error = await failure { _ = try await ref.value(timeout: .seconds(60)) }
            #expect(error?.code == .runtimeStopped)
        }
        for process in processes { #expect(!Processes.isAlive(process)) }
    }

    @Test func `a worker without tasks ends after the idle time, and later tasks have another one`() async throws {
        var configuration = RuntimeConfiguration()
        configuration.taskWorkerIdleTime = .milliseconds(50)
        try await ActorRuntime.withRuntime(configuration: configuration) { runtime in
            var processes: Set<Int32> = []
            for _ in 1...3 {
                let refs = (0..<8).map { _ in runtime.submit(WhereaboutsTask()) }
                for place in try await runtime.get(refs) { processes.insert(place.process) }
                try await eventually("the workers have ended") {
                    try await runtime.taskWorkers().count
                } is: {
                    $0 == 0
                }
            }
            #expect(processes.count >= 3 && processes.allSatisfy { !Processes.isAlive($0) })

            // Those of an actor's tasks as well.
            let employer = try await runtime.spawn(TaskEmployer.self)
            let place = try await employer.whereabouts()
            try await eventually("the actor's worker has ended") {
                Processes.isAlive(place.process)
            } is: {
                !$0
            }
            #expect(try await employer.whereabouts().process != place.process)
            configuration.taskWorkerIdleTime = .zero
            let refused = await failure { [configuration] in
                _ = try await ActorRuntime.start(configuration: configuration)
            }
            #expect(refused?.code == .invalidArgument && refused?.message.contains("taskWorkerIdleTime") == true)
        }
    }

    @Test(.enabled(if: ProcessInfo.processInfo.processorCount > 1))
    func `a task that takes longer than the idle time runs to its end`() async throws {
        let scratch = ScratchDirectory()
        var configuration = RuntimeConfiguration()
        configuration.taskWorkerIdleTime = .milliseconds(10)
        try await ActorRuntime.withRuntime(configuration: configuration) { runtime in
            let (hold, log) = (scratch.hold(), scratch.file("log"))
            let first = try await runtime.run(WhereaboutsTask()).process
            let ref = runtime.submit(StepTask(number: 1, hold: hold, log: log))
            try await eventually("the task has begun") {
                Notes.lines(of: log)
            } is: {
                $0 == ["begin 1"]
            }
            // Another worker becomes idle later, and ends, while this one is busy.
            _ = try await runtime.run(SquareTask(x: 1))
            try await eventually("one worker is left") {
                try await runtime.taskWorkers().count
            } is: {
                $0 == 1
            }
            unlink(hold)
            _ = try await ref.value
            #expect(Notes.lines(of: log) == ["begin 1", "end 1"])
            try await eventually("all workers have ended") {
                try await runtime.taskWorkers().count
            } is: {
                $0 == 0
            }
            #expect(!Processes.isAlive(first))
        }
    }

    @Test func `workers of a driver that was killed end`() async throws {
        let scratch = ScratchDirectory()
        let driver = try TestProcess(["tasks", scratch.path])
        let numbers = driver.line.split(separator: " ").compactMap { Int32($0) }
        try #require(numbers.count == 2, "the driver said: \(driver.line)")
        #expect(numbers[0] != driver.pid && Processes.isAlive(numbers[0]))
        kill(driver.pid, SIGKILL)
        driver.end()
        for process in numbers {
            try await eventually("worker and supervisor have ended") {
                Processes.isAlive(process)
            } is: {
                !$0
            }
        }
    }

    @Test func `an actor's tasks run outside of its worker, and their workers end with its life`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let employer = try await runtime.spawn(TaskEmployer.self, options: .resilient)
            let first = try await employer.whereabouts()
            let process = try await employer.processID()
            #expect(first.process != process && first.actor == nil)
            #expect(try await runtime.actors().map(\.id) == [employer.id])
            kill(process, SIGKILL)
            let second = try await employer.whereabouts()
            #expect(second.process != first.process)
            try await eventually("the first life's worker has ended") {
                try await runtime.taskWorkers().map(\.processID)
            } is: {
                $0 == [second.process]
            }
            #expect(!Processes.isAlive(first.process))
            try await runtime.kill(employer)
            try await eventually("the actor's worker has ended") {
                try await runtime.taskWorkers().count
            } is: {
                $0 == 0
            }
        }
    }

    @Test func `NAM-13: a detached actor whose creator has left has tasks run, and owns what they make`() async throws {
        let scratch = ScratchDirectory()
        let keeper = try await ActorRuntime.start(directory: scratch.path)
        try await ActorRuntime.withRuntime(directory: scratch.path) { creator in
            _ = try await creator.getOrCreate(TaskEmployer.self, name: "employer")
        }
        let employer = try await keeper.getActor(TaskEmployer.self, name: "employer")
        let place = try await employer.whereabouts()
        let employerProcess = try await employer.processID()
        #expect(place.process != employerProcess)
        let counter = try await employer.found(3)
        #expect(try await counter.add(1) == 4)
        // The counter is not its worker's.
        kill(place.process, SIGKILL)
        try await eventually("the worker has ended") {
            try await keeper.taskWorkers().count
        } is: {
            $0 == 0
        }
        #expect(try await counter.add(1) == 5)
        try await keeper.kill(employer)
        let gone = await failure { _ = try await counter.add(1) }
        #expect(gone?.code == .died)
        await keeper.shutdown()
    }

    @Test func `a task finds actors by name in the namespace of whoever submitted it`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let inner = ActorOptions().detached(name: "counter", namespace: "inner")
            let counter = try await runtime.spawn(Counter.self, options: inner)
            let options = ActorOptions().detached(name: "employer", namespace: "inner")
            let employer = try await runtime.spawn(TaskEmployer.self, options: options)
            #expect(try await employer.find("counter") == 1)
            let missing = await failure { _ = try await runtime.run(FindingTask(name: "counter")) }
            #expect(missing?.code == .notFound)
            #expect(try await counter.read() == 1)
            try await runtime.kill(counter)
            try await runtime.kill(employer)
        }
    }

    @Test func `what a task spawns outlives its worker, and belongs to the driver`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.run(FoundingTask(amount: 2))
            let workers = try await runtime.taskWorkers().compactMap(\.processID)
            for worker in workers { kill(worker, SIGKILL) }
            try await eventually("the workers have ended") {
                try await runtime.taskWorkers().count
            } is: {
                $0 == 0
            }
            #expect(try await counter.add(1) == 3)
        }
    }
}
