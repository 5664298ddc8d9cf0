import DurableActors
import DurableChaos
import DurableCore
import DurableStore
import Foundation
import Glibc
import Testing

/// Ray's cases of state that is restored.
@Suite(.serialized, .timeLimit(.minutes(5))) struct StateConformance {
    @Test(arguments: [0b1011, UInt64.random(in: 0...UInt64.max)])
    func `STA-01: a table whose worker crashes at random before updates has both of them`(bits: UInt64) async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let setup = ImmortalTable.Setup(bits: bits, log: scratch.file("log"))
            let table = try await runtime.spawn(ImmortalTable.self, setup, options: .resilient)
            try await table.update("one", 1)
            try await table.update("two", 2)
            #expect(try await table.get("one") == 1, "bits \(bits)")
            #expect(try await table.get("two") == 2, "bits \(bits)")
        }
    }

    @Test func `STA-02: the constructor's value counts until something was committed, and never after`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let setup = Recorder.Setup(log: scratch.file("log"), start: 7)
            let recorder = try await runtime.spawn(Recorder.self, setup, options: .resilient)
            #expect(try await recorder.read() == 7)
            kill(try await runtime.process(of: recorder), SIGKILL)
            #expect(try await recorder.read() == 7)
            #expect(try await recorder.step(1) == 8)
            kill(try await runtime.process(of: recorder), SIGKILL)
            #expect(try await recorder.read() == 8)
            #expect(Notes.lines(of: setup.log).count { $0 == "init" } == 3)
        }
    }

    @Test func `STA-05: a call whose worker dies between commit and reply is answered and not run again`() async throws
    {
        let scratch = ScratchDirectory()
        var configuration = RuntimeConfiguration()
        configuration.faults = [FaultSpecification(.workerAfterCommit, occurrence: 2, incarnation: 1, action: .kill)]
        try await ActorRuntime.withRuntime(configuration: configuration) { runtime in
            let setup = Recorder.Setup(log: scratch.file("log"))
            let recorder = try await runtime.spawn(Recorder.self, setup, options: .resilient)
            for number in 1...4 { #expect(try await recorder.step(number) == number) }
            #expect(try await runtime.summary(of: recorder).restarts == 1, "the fault struck")
            let steps = Notes.lines(of: setup.log).filter { $0 != "init" }
            #expect(steps == (1...4).map { "step \($0)" })
            #expect(try await recorder.read() == 4)
        }
    }

    @Test(arguments: [FaultPoint.workerBeforeCommit, .workerInsideCommit, .workerAfterCommit])
    func `STA-07: of a call that changes several properties a kill leaves all changes or none`(
        point: FaultPoint
    ) async throws {
        let scratch = ScratchDirectory()
        var configuration = RuntimeConfiguration()
        configuration.faults = [FaultSpecification(point, occurrence: 3, incarnation: 1, action: .kill)]
        try await ActorRuntime.withRuntime(configuration: configuration) { runtime in
            let setup = Recorder.Setup(log: scratch.file("log"))
            let options = ActorOptions(maxRestarts: .unlimited)
            let recorder = try await runtime.spawn(Recorder.self, setup, options: options)
            var struck = 0
            for number in 1...10 where struck == 0 {
                let error = await failure {
                    let value = try await recorder.step(number)
                    #expect(value == number)
                }
                if error?.code == .unavailable { struck = number }
            }
            try #require(struck > 1, "the fault struck behind the first change")
            try await eventually("the next life answers") {
                try? await recorder.read()
            } is: {
                $0 != nil
            }
            let count = point == .workerAfterCommit ? struck : struck - 1
            let numbers = Array(1...count)
            #expect(try await recorder.everything() == .init(value: count, steps: numbers, names: numbers))
        }
    }

    @Test func `STA-08: calls that change nothing write nothing`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self)
            #expect(try await counter.add(1) == 1)
            #expect(try await counter.read() == 1)
            let file = URL(fileURLWithPath: "\(ShardLayout.directory(of: 1, in: runtime.directory))/data.mdb")
            let before = try Data(contentsOf: file)
            for _ in 0..<50 { #expect(try await counter.read() == 1) }
            #expect(try Data(contentsOf: file) == before)
            #expect(try await counter.add(1) == 2)
            #expect(try Data(contentsOf: file) != before, "a change is seen in the file")
        }
    }

    @Test func `STA-15: what cannot be stored is made again by each constructor, and the rest is restored`()
        async throws
    {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let recorder = try await runtime.spawn(
                Recorder.self,
                Recorder.Setup(log: scratch.file("log")),
                options: .resilient
            )
            for number in 1...3 { #expect(try await recorder.step(number) == number) }
            #expect(try await recorder.hits() == 3)
            kill(try await runtime.process(of: recorder), SIGKILL)
            #expect(try await recorder.hits() == 0)
            #expect(try await recorder.step(4) == 4)
            #expect(try await recorder.hits() == 1)
        }
    }

    @Test func `STA-16, RST-02: four restarts give five lives of ten calls, and then every call fails`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let options = ActorOptions(maxRestarts: 4, maxTaskRetries: .unlimited)
            let counter = try await runtime.spawn(FragileCounter.self, scratch.file("log"), options: options)
            var values: [Int] = []
            for _ in 0..<50 { values.append(try await counter.increment()) }
            #expect(values == (0..<5).flatMap { _ in Array(1...10) })
            for _ in 0..<10 {
                #expect(await failure { _ = try await counter.increment() }?.code == .died)
            }
            #expect(Attempts.count(in: scratch.file("log")) == 55)
        }
    }

    @Test func `STA-18: a controller that takes the state out and puts it into a new actor counts to two`()
        async throws
    {
        try await ActorRuntime.withRuntime { runtime in
            var state: [String: Int] = [:]
            var worker = try await runtime.spawn(ManualWorker.self, state)
            for crashing in [true, false, true, false] {
                do {
                    _ = try await worker.execute(crashing: crashing)
                    state = try await worker.checkpointState()
                } catch let error as ActorError {
                    #expect(crashing && error.code == .died)
                    worker = try await runtime.spawn(ManualWorker.self, state)
                }
            }
            #expect(state == ["count": 2])
            #expect(try await worker.checkpointState() == ["count": 2])
        }
    }

    @Test func `STA-21: after a kill at any instant the state is that of the last acknowledged call or the next`()
        async throws
    {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(seed: seed)
        try await ActorRuntime.withRuntime { runtime in
            let options = ActorOptions(maxRestarts: .unlimited, durability: .process)
            let mirror = try await runtime.spawn(Mirror.self, options: options)
            var acknowledged = 0
            for round in 1...1000 {
                for _ in 0..<Int.random(in: 0...3, using: &generator) { acknowledged = try await mirror.step() }
                let process = try await runtime.process(of: mirror)
                let ref = mirror.submit { try await $0.step() }
                for _ in 0..<Int.random(in: 0...300, using: &generator) { await Task.yield() }
                kill(process, SIGKILL)
                // The call may have been answered before the kill.
                if let value = try? await ref.value { acknowledged = value }
                var value = 0
                try await eventually("the next life answers") {
                    try? await mirror.read()
                } is: { read in
                    value = read ?? value
                    return read != nil
                }
                try #require((acknowledged...acknowledged + 1).contains(value), "seed \(seed), round \(round)")
                acknowledged = value
            }
        }
    }

    @Test func `STA-22: the state of an owned actor goes with its final death, and not with a crash before`()
        async throws
    {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self, options: ActorOptions(maxRestarts: 1))
            let directory = ShardLayout.directory(of: 1, in: runtime.directory)
            #expect(try await counter.add(1) == 1)
            _ = await failure { try await counter.crash() }
            try await eventually("the second life answers") {
                try? await counter.read()
            } is: {
                $0 == 1
            }
            #expect(FileManager.default.fileExists(atPath: "\(directory)/data.mdb"))
            #expect(await failure { try await counter.crash() }?.code == .died)
            try await eventually("the state is gone") {
                FileManager.default.fileExists(atPath: "\(directory)/data.mdb")
            } is: {
                !$0
            }
        }
    }
}
