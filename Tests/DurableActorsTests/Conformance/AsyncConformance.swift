import DurableActors
import Foundation
import Glibc
import Testing

/// Ray's cases of asynchronous actors: calls that interleave where they wait.
@Suite(.serialized, .timeLimit(.minutes(2))) struct AsyncConformance {
    @Test func `ASY-01: 16 of 20 waiting calls run at once, and results are in the order of submission`() async throws {
        let scratch = ScratchDirectory()
        let (log, hold) = (scratch.file("log"), scratch.hold())
        try await ActorRuntime.withRuntime { runtime in
            let crowd = try await runtime.spawn(Crowd.self, log, options: .maxConcurrency(16))
            let refs = (0..<20).map { number in crowd.submit { try await $0.work(number, hold: hold) } }
            try await eventually("16 calls run") {
                Notes.lines(of: log).count
            } is: {
                $0 == 1 + 16
            }
            #expect(Notes.lines(of: log).dropFirst() == ArraySlice((0..<16).map { "enter others \($0)" }))
            unlink(hold)
            #expect(try await runtime.get(refs) == (0..<20).map { $0 * $0 })
            #expect(try await crowd.highest() == Crowd.Load(others: 16))
        }
    }

    @Test func `ASY-02: with Ray's limit for asynchronous actors the 1001st call starts when one of 1000 ends`()
        async throws
    {
        let scratch = ScratchDirectory()
        let (log, hold, first) = (scratch.file("log"), scratch.hold(), scratch.file("first"))
        _ = Attempts.note(in: first)
        try await ActorRuntime.withRuntime { runtime in
            let crowd = try await runtime.spawn(Crowd.self, log, options: .maxConcurrency(1000))
            let one = crowd.submit { try await $0.work(0, hold: first) }
            let refs = (1...1000).map { number in crowd.submit { try await $0.work(number, hold: hold) } }
            try await eventually("1000 calls run") {
                Notes.lines(of: log).count
            } is: {
                $0 == 1 + 1000
            }
            unlink(first)
            #expect(try await one.value == 0)
            try await eventually("the last call runs") {
                Notes.lines(of: log).last
            } is: {
                $0 == "enter others 1000"
            }
            unlink(hold)
            #expect(try await runtime.get(refs) == (1...1000).map { $0 * $0 })
            #expect(try await crowd.highest().others == 1000)
        }
    }

    @Test func `ASY-03, CGR-11: calls that wait for each other complete inside of their group, with the same batch`()
        async throws
    {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            // The group has room for three, the default one for one only.
            let crowd = try await runtime.spawn(Crowd.self, scratch.file("log"))
            for round in 0..<3 {
                let refs = (0..<3).map { number in crowd.submit { try await $0.meet(10 * round + number) } }
                for ref in refs { #expect(try await ref.value == (0..<3).map { 10 * round + $0 }) }
            }
            let open = try await runtime.spawn(Crowd.self, scratch.file("log"), options: .maxConcurrency(3))
            let refs = (0..<3).map { number in
                open.submit(.concurrencyGroup("default")) { try await $0.meet(number) }
            }
            for ref in refs { #expect(try await ref.value == [0, 1, 2]) }
        }
    }

    @Test func `ASY-06: while a method blocks its actor's thread, no other call runs, whatever its group`()
        async throws
    {
        let scratch = ScratchDirectory()
        let (log, hold) = (scratch.file("log"), scratch.hold())
        try await ActorRuntime.withRuntime { runtime in
            let crowd = try await runtime.spawn(Crowd.self, log, options: .maxConcurrency(8))
            let blocking = crowd.submit { try await $0.blockLoop(1, hold: hold) }
            try await eventually("the thread is blocked") {
                Notes.lines(of: log).last
            } is: {
                $0 == "block 1"
            }
            let refs = [
                crowd.submit { try await $0.work(2) }, crowd.submit { try await $0.fetch(3) },
                crowd.submit { try await $0.process(4) },
            ]
            unlink(hold)
            #expect(try await blocking.value == 1)
            #expect(try await runtime.get(refs) == [4, 9, 16])
            #expect(Array(Notes.lines(of: log).prefix(3)) == ["init", "block 1", "unblock 1"])
        }
    }

    @Test func `ASY-07: between two suspensions no other call of the actor runs`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let crowd = try await runtime.spawn(Crowd.self, scratch.file("log"), options: .maxConcurrency(32))
            let refs = (0..<32).map { _ in crowd.submit { try await $0.count(200) } }
            #expect(try await runtime.get(refs).max() == 32 * 200)
            #expect(try await crowd.sum() == 32 * 200)
        }
    }

    @Test func `ASY-08: while a call waits for a reference, others progress`() async throws {
        let scratch = ScratchDirectory()
        let (log, hold) = (scratch.file("log"), scratch.hold())
        try await ActorRuntime.withRuntime { runtime in
            let crowd = try await runtime.spawn(Crowd.self, log, options: .maxConcurrency(2))
            let recorder = try await runtime.spawn(Recorder.self, .init(log: scratch.file("other")))
            let visit = crowd.submit { try await $0.visit(recorder, 7, hold: hold) }
            for number in 0..<20 { #expect(try await crowd.work(number) == number * number) }
            #expect(!visit.isReady)
            unlink(hold)
            #expect(try await visit.value == 1)
        }
    }

    @Test func `ASY-10: when the actor dies, everyone who waits for one of its open calls gets an error`() async throws
    {
        let scratch = ScratchDirectory()
        let (log, hold) = (scratch.file("log"), scratch.hold())
        try await ActorRuntime.withRuntime { runtime in
            let crowd = try await runtime.spawn(Crowd.self, log, options: .maxConcurrency(8))
            let refs = (0..<20).map { number in crowd.submit { try await $0.work(number, hold: hold) } }
            try await eventually("eight calls run") {
                Notes.lines(of: log).count
            } is: {
                $0 == 1 + 8
            }
            kill(try await runtime.process(of: crowd), SIGKILL)
            for ref in refs { #expect(await failure { _ = try await ref.value }?.code == .died) }
        }
    }
}
