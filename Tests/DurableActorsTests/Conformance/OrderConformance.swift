import DurableActors
import Foundation
import Glibc
import Testing

/// Ray's cases of order.
@Suite(.serialized, .timeLimit(.minutes(2))) struct OrderConformance {
    @Test func `ORD-02: the calls of each of several submitters run in its own order`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self, options: ActorOptions(durability: .process))
            let streams = (0..<4).map { stream in (0..<100).map { stream * 1000 + $0 } }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for stream in streams {
                    let courier = try await runtime.spawn(Courier.self)
                    group.addTask { try await courier.append(stream, to: counter) }
                }
                try await group.waitForAll()
            }
            let list = try await counter.list()
            #expect(list.count == 400)
            for (index, stream) in streams.enumerated() { #expect(list.filter { $0 / 1000 == index } == stream) }
        }
    }

    @Test func `ORD-07, THR-02, ASY-04: while a call waits for another actor, no call of any submitter starts`()
        async throws
    {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let setup = Recorder.Setup(log: scratch.file("log"))
            let recorder = try await runtime.spawn(Recorder.self, setup)
            let counter = try await runtime.spawn(Counter.self)
            let courier = try await runtime.spawn(Courier.self)
            let elsewhere = courier.submit { try await $0.visit(recorder, Array(101...120), counter) }
            let here = (1...20).map { number in recorder.submit { try await $0.visit(number, counter) } }
            for ref in here { try await ref.value }
            try await elsewhere.value
            let lines = Notes.lines(of: setup.log).dropFirst()
            #expect(lines.count == 80)
            let entered = lines.filter { $0.hasPrefix("enter") }
            #expect(Array(lines) == entered.flatMap { [$0, $0.replacing("enter", with: "leave")] })
        }
    }

    @Test func `ORD-10: calls that had completed before a crash are not run again`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let setup = Recorder.Setup(log: scratch.file("log"))
            let recorder = try await runtime.spawn(Recorder.self, setup, options: .resilient)
            for number in 1...10 { #expect(try await recorder.step(number) == number) }
            kill(try await runtime.process(of: recorder), SIGKILL)
            #expect(try await recorder.step(11) == 11)
            let first = ["init"] + (1...10).map { "step \($0)" }
            #expect(Notes.lines(of: setup.log) == first + ["init", "step 11"])
        }
    }

    @Test func `ORD-15: streams of handles that were passed on twice are complete and in order`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self, options: ActorOptions(durability: .process))
            let options = ActorOptions().shared("couriers")
            try await withThrowingTaskGroup(of: Void.self) { group in
                for stream in 0..<10 {
                    let first = try await runtime.spawn(Courier.self, options: options)
                    let second = try await runtime.spawn(Courier.self, options: options)
                    let numbers = (0..<100).map { stream * 1000 + $0 }
                    group.addTask { try await first.append(numbers, to: counter, by: second) }
                }
                try await group.waitForAll()
            }
            let list = try await counter.list()
            #expect(list.count == 1000)
            for stream in 0..<10 {
                #expect(list.filter { $0 / 1000 == stream } == (0..<100).map { stream * 1000 + $0 })
            }
        }
    }
}
