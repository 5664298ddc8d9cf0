import DurableActors
import DurableCore
import Glibc
import Testing

/// State in real workers: collections, commits within a turn, values that cannot be stored.
@Suite(.serialized) struct StateTests {
    @Test func `collections survive kills, entry by entry`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let archive = try await runtime.spawn(Archive.self, options: .resilient)
            var expected: [String: [Int]] = [:]
            for number in 0..<60 {
                let key = "key \(number % 7)"
                expected[key, default: []].append(number)
                #expect(try await archive.put(key, number) == expected.count)
                if number % 20 == 19 { kill(try await runtime.process(of: archive), SIGKILL) }
            }
            #expect(try await archive.all() == expected)
            #expect(try await archive.remove("key 3") == expected.removeValue(forKey: "key 3"))
            kill(try await runtime.process(of: archive), SIGKILL)
            #expect(try await archive.all() == expected)
            #expect(try await archive.texts() == ["made"] + (0..<60).map { "key \($0 % 7)" })
            #expect(try await archive.numbers() == Array(0..<60))
            try await archive.replace()
            kill(try await runtime.process(of: archive), SIGKILL)
            #expect(try await archive.all() == ["only": [0]])
            #expect(try await archive.texts() == [])
        }
    }

    @Test func `a collection is emptied at once, and its rows go later`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let archive = try await runtime.spawn(Archive.self, options: .resilient)
            #expect(try await archive.fill(5_000) == 5_000)
            try await archive.clear()
            #expect(try await archive.put("new", 1) == 1)
            kill(try await runtime.process(of: archive), SIGKILL)
            #expect(try await archive.all() == ["new": [1]])
        }
    }

    @Test func `what a turn commits in its middle survives its death`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let archive = try await runtime.spawn(Archive.self, options: .resilient)
            // Two lives end behind the commit; each retry adds to what the one before had committed.
            #expect(try await archive.noteTwice("a", times: 2, log: scratch.file("log")) == "aaa!")
            #expect(try await archive.noteTwice("b", times: 0, log: scratch.file("log")) == "aaa!b!")
        }
    }

    @Test func `a change that cannot be encoded fails its call, is undone, and costs no life`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let moody = try await runtime.spawn(Moody.self, options: .resilient)
            #expect(try await moody.set(1, isBad: false) == 1)
            let process = try await moody.processID()
            let error = await failure { _ = try await moody.set(2, isBad: true) }
            #expect(error?.code == .serialization && error?.cause?.contains("bad mood") == true)
            #expect(try await moody.number() == 1)
            #expect(try await moody.set(3, isBad: false) == 3)
            #expect(try await moody.processID() == process)
        }
    }
}
