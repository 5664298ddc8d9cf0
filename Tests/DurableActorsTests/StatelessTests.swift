import CBOR
import DurableActors
import DurableCore
import DurableSupervisor
import Foundation
import Glibc
import Testing

/// Actors with `Durability.none`: they live, die and are found like others, and nothing of them is stored.
@Suite(.serialized) struct StatelessTests {
    private static let options = ActorOptions(maxRestarts: .unlimited, maxTaskRetries: .unlimited, durability: .none)

    @Test func `state lives in memory, starts again with each life, and no file is made`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self, options: Self.options)
            let archive = try await runtime.spawn(Archive.self, options: Self.options)
            #expect(try await counter.add(2) == 2)
            #expect(try await counter.add(3) == 5)
            for number in 0..<600 { _ = try await archive.put("k\(number)", number) }
            _ = try await archive.remove("k7")
            #expect(try await archive.all().count == 599)
            #expect(try await archive.value("k9") == [9])
            #expect(try await archive.texts().count == 601)
            kill(try await runtime.process(of: counter), SIGKILL)
            kill(try await runtime.process(of: archive), SIGKILL)
            #expect(try await counter.add(1) == 1, "the constructor's value, and nothing of the former life")
            #expect(try await archive.all().isEmpty)
            #expect(try await archive.texts() == ["made"])
            for shard in ["1", "2"] {
                #expect(RuntimeDirectory.entries(of: "\(runtime.directory)/shards/\(shard)") == ["socket"])
            }
        }
    }

    @Test func `a call whose worker died is run again by the next life, from the constructor's state`() async throws {
        let scratch = ScratchDirectory()
        let log = scratch.file("attempts")
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self, options: Self.options)
            #expect(try await counter.add(10) == 10)
            #expect(try await counter.addDying(1, times: 3, log: log) == 1)
            #expect(Attempts.count(in: log) == 4)
            let once = ActorOptions(maxRestarts: .unlimited, durability: .none)
            let careful = try await runtime.spawn(Counter.self, options: once)
            let error = await failure { _ = try await careful.addDying(1, times: 9, log: log) }
            #expect(error?.code == .unavailable)
            #expect(Attempts.count(in: log) == 5, "without retries a call runs at most once")
        }
    }

    @Test func `every reply is of the life that gave it, over many quick lives`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self, options: Self.options)
            for round in 1...12 {
                #expect(try await counter.add(round) == round)
                let worker = try await runtime.process(of: counter)
                let supervisor = try #require(runtime.supervisorProcessID)
                kill(worker, SIGKILL)
                // The next supervisor may give the next life the number of one that is gone already.
                if round.isMultiple(of: 3) { kill(supervisor, SIGKILL) }
            }
            // A worker that got its actor in a supervisor's last moment answers until the next supervisor ends it.
            try await eventually("the life that answers is the one that the supervisor knows") {
                try await (runtime.process(of: counter), counter.processID())
            } is: {
                $0.0 == $0.1
            }
            let refs = (1...200).map { number in counter.submit { try await $0.append(number) } }
            for ref in refs { #expect(try await ref.value == 1) }
            #expect(try await counter.list() == Array(1...200))
        }
    }

    @Test func `each life has a larger epoch than the one before`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self, options: Self.options)
            var generator = SystemRandomNumberGenerator()
            var last: Epoch = 0
            for round in 1...5 {
                #expect(try await counter.add(1) == 1)
                let caller = try RawCaller(runtime, shard: 1)
                let frame = CallFrame(
                    actor: counter.id,
                    id: CallID(session: SessionID(random: &generator), sequence: 1),
                    firstIncomplete: 1,
                    method: RawCaller.method("add", of: Counter.self),
                    arguments: [try CBOREncoder().encode(round)]
                )
                let reply = try await caller.send(frame)
                #expect(reply.outcome == .returned(try CBOREncoder().encode(1 + round)))
                #expect(reply.epoch > last)
                last = reply.epoch
                kill(try await runtime.process(of: counter), SIGKILL)
            }
        }
    }

    @Test func `a commit within a turn is no error and stores nothing`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let archive = try await runtime.spawn(Archive.self, options: Self.options)
            #expect(try await archive.noteTwice("a", times: 0, log: scratch.file("log")) == "a!")
            #expect(try await archive.noteTwice("b", times: 2, log: scratch.file("log")) == "b!")
        }
    }

    @Test func `a supervisor's death costs it nothing, and kill ends it for good`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self, options: Self.options)
            #expect(try await counter.add(4) == 4)
            let worker = try await counter.processID()
            let supervisor = try #require(runtime.supervisorProcessID)
            try await eventually("the worker is in the registry") {
                let registry = try RegistryStore(RuntimeLayout(directory: runtime.directory), readOnly: true)
                defer { registry.close() }
                return try registry.load().records.first?.worker?.pid
            } is: {
                $0 == worker
            }
            kill(supervisor, SIGKILL)
            try await eventually("a new supervisor") {
                runtime.supervisorProcessID
            } is: {
                $0 != nil && $0 != supervisor
            }
            #expect(try await counter.add(1) == 5)
            #expect(try await runtime.process(of: counter) == worker)
            try await runtime.kill(counter)
            #expect(await failure { _ = try await counter.read() }?.code == .died)
            #expect(!FileManager.default.fileExists(atPath: "\(runtime.directory)/shards/1"))
        }
    }

    @Test func `a detached one is found by name in the next runtime, and starts from its constructor`() async throws {
        let scratch = ScratchDirectory()
        let directory = scratch.file("data")
        let before = try await ActorRuntime.start(directory: directory)
        let service = try await before.getOrCreate(Counter.self, name: "service", options: Self.options)
        #expect(try await service.add(7) == 7)
        let supervisor = try #require(before.supervisorProcessID)
        let worker = try await before.process(of: service)
        try await eventually("inspect shows it running, without state") {
            try Tool.run("inspect", directory, "--json")
        } is: {
            $0.contains("\"running\"") && $0.contains("\"none\"") && $0.contains("\"state\":{}")
        }
        await before.shutdown()
        for pid in [supervisor, worker] {
            kill(pid, SIGKILL)
            try await eventually("process \(pid) is gone") {
                Processes.isAlive(pid)
            } is: {
                !$0
            }
        }
        try await ActorRuntime.withRuntime(directory: directory) { runtime in
            let same = try await runtime.getActor(Counter.self, name: "service")
            #expect(same.id == service.id)
            #expect(try await same.add(1) == 1)
            try await runtime.kill(same)
        }
    }
}
