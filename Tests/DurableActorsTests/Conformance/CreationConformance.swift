import DurableActors
import DurableCore
import DurableSupervisor
import Foundation
import Glibc
import Testing

/// Ray's cases of creation, of calls that wait for it, and of handles that travel.
@Suite(.serialized, .timeLimit(.minutes(2))) struct CreationConformance {
    @Test func `CRE-01: creation and submission return while the constructor still runs`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let setup = Witness.Setup(log: scratch.file("log"), hold: scratch.hold())
            let witness = try await runtime.spawn(Witness.self, setup)
            let ref = witness.submit { try await $0.add(3) }
            try await eventually("the constructor runs") {
                Notes.lines(of: setup.log)
            } is: {
                $0 == ["constructing"]
            }
            #expect(try await runtime.summary(of: witness).state == .starting)
            try FileManager.default.removeItem(atPath: setup.hold)
            #expect(try await ref.value == 3)
        }
    }

    @Test func `BUF-01: calls made before the constructor has ended all run behind it, in their order`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let setup = Witness.Setup(log: scratch.file("log"), hold: scratch.hold())
            let witness = try await runtime.spawn(Witness.self, setup)
            let refs = (1...50).map { number in witness.submit { try await $0.append(number) } }
            try FileManager.default.removeItem(atPath: setup.hold)
            for (index, ref) in refs.enumerated() { #expect(try await ref.value == index + 1) }
            #expect(try await witness.list() == Array(1...50))
        }
    }

    @Test func `BUF-02: a receiver's calls wait for an actor that it got before the constructor ended`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let setup = Witness.Setup(log: scratch.file("log"), hold: scratch.hold())
            let witness = try await runtime.spawn(Witness.self, setup)
            let courier = try await runtime.spawn(Courier.self)
            let log = scratch.file("courier")
            let ref = courier.submit { try await $0.fill(witness, Array(1...20), log: log) }
            try await eventually("the receiver has made its calls") {
                Notes.lines(of: log)
            } is: {
                $0 == ["submitted"]
            }
            try FileManager.default.removeItem(atPath: setup.hold)
            #expect(try await ref.value == Array(1...20))
            #expect(try await witness.list() == Array(1...20))
        }
    }

    @Test func `CRE-02: two changes that nobody waited for are both there`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let account = try await runtime.spawn(Account.self)
            let deposit: ObjectRef<Void> = account.submit { try await $0.deposit(100) }
            let withdrawal: ObjectRef<Void> = account.submit { try await $0.withdraw(10) }
            #expect(try await account.submit { try await $0.total() }.value == 90)
            try await deposit.value
            try await withdrawal.value
        }
    }

    @Test func `CRE-03: each of several actors counts for itself, in batches and in turns`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            var counters: [Counter] = []
            for _ in 0..<4 { counters.append(try await runtime.spawn(Counter.self)) }
            for (index, counter) in counters.enumerated() {
                let refs = (0..<(index + 1) * 5).map { _ in counter.submit { try await $0.add(1) } }
                for (position, ref) in refs.enumerated() { #expect(try await ref.value == position + 1) }
            }
            for round in 1...5 {
                let refs = counters.map { counter in counter.submit { try await $0.add(1) } }
                for (index, ref) in refs.enumerated() { #expect(try await ref.value == (index + 1) * 5 + round) }
            }
        }
    }

    @Test func `CRE-04: a model answers by its constructor's arguments, in the next life as well`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let weights = LinearModel.Weights(w0: 32, w1: 9 / 5)
            let model = try await runtime.spawn(LinearModel.self, weights, options: .resilient)
            #expect(try await model.convert(100) == 212)
            kill(try await runtime.process(of: model), SIGKILL)
            #expect(try await model.convert(100) == 212)
        }
    }

    @Test func `CRE-14: an actor's children, of its constructor and of a method, answer like a driver's`() async throws
    {
        try await ActorRuntime.withRuntime { runtime in
            let parent = try await runtime.spawn(Parent.self)
            #expect(try await parent.addToChild(2) == 2)
            #expect(try await parent.firstChild().add(3) == 5)
            #expect(try await parent.makeChild().add(4) == 4)
        }
    }

    @Test func `CRE-17: a handle that has travelled equals the original and no other`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self, options: .resilient)
            let other = try await runtime.spawn(Counter.self)
            let courier = try await runtime.spawn(Courier.self)
            let travelled = try await courier.echo(counter)
            #expect(travelled == counter && travelled.hashValue == counter.hashValue)
            #expect(travelled != other)
            #expect(AnyHashable(travelled) != AnyHashable("\(counter.id)"))
            kill(try await runtime.process(of: counter), SIGKILL)
            #expect(try await counter.read() == 0)
            #expect(try await courier.echo(counter) == travelled, "another life is no other actor")
        }
    }

    @Test func `CRE-18: ids differ when every generator is seeded the same before each creation`() async throws {
        let scratch = ScratchDirectory()
        var ids: Set<ActorID> = []
        for _ in 0..<2 {
            try await ActorRuntime.withRuntime(directory: scratch.file("data")) { runtime in
                for _ in 0..<10 {
                    srandom(1)
                    srand48(1)
                    ids.insert(try await runtime.spawn(Counter.self, options: ActorOptions().shared("group")).id)
                }
            }
        }
        #expect(ids.count == 20)
    }

    @Test func `CRE-19: options that one creation overrides count for that actor only`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let common = ActorOptions.resilient.detached(name: "common")
            let named = try await runtime.spawn(Counter.self, options: common)
            var overridden = common
            overridden.name = nil
            overridden.isDetached = false
            overridden.maxRestarts = 0
            let mortal = try await runtime.spawn(Counter.self, options: overridden)
            #expect(try await runtime.summary(of: mortal).name == nil)
            #expect(try await runtime.summary(of: named).name == "common")
            #expect(await failure { try await mortal.crash() }?.code == .died)
            kill(try await runtime.process(of: named), SIGKILL)
            #expect(try await named.read() == 0)
            try await runtime.kill(named)
        }
    }

    @Test func `CRE-22: creation in a runtime that was shut down is refused`() async throws {
        let runtime = try await ActorRuntime.start()
        await runtime.shutdown()
        let error = await failure { _ = try await runtime.spawn(Counter.self) }
        #expect(error?.code == .runtimeStopped)
    }

    @Test func `BUF-07: handles inside of any value reach the same actor`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self)
            let courier = try await runtime.spawn(Courier.self, options: .resilient)
            let parcel = try await courier.wrap(counter)
            #expect(try await courier.addOnEach(parcel) == [1, 2, 3, 4])
            #expect(try await parcel.table["one"]?.add(1) == 5)
            #expect(try await parcel.list[0].add(1) == 6)
            try await courier.keep(parcel.one)
            #expect(try await courier.addOnKept() == 7)
            kill(try await runtime.process(of: courier), SIGKILL)
            #expect(try await courier.addOnKept() == 8, "a stored handle as well")
            #expect(try await counter.read() == 8)
        }
    }

    @Test(arguments: [ActorOptions.default, .resilient.shared("group"), .resilient.detached(name: "one")])
    func `BUF-13: a creation that was stored and whose answer was lost makes one actor, once`(
        options: ActorOptions
    ) async throws {
        let scratch = ScratchDirectory()
        var configuration = RuntimeConfiguration()
        configuration.faults = [FaultSpecification(.supervisorAfterCreation, action: .kill)]
        try await ActorRuntime.withRuntime(directory: scratch.file("data"), configuration: configuration) { runtime in
            let setup = Recorder.Setup(log: scratch.file("log"))
            let supervisor = try #require(runtime.supervisorProcessID)
            let recorder = try await runtime.spawn(Recorder.self, setup, options: options)
            #expect(runtime.supervisorProcessID != supervisor, "the first one died of it")
            #expect(try await recorder.step(1) == 1)
            #expect(Notes.lines(of: setup.log) == ["init", "step 1"])
            #expect(try await runtime.actors().map(\.id) == [recorder.id])
            #expect(RuntimeDirectory.entries(of: scratch.file("data/shards")).count == 1)
            try await runtime.kill(recorder)
        }
    }

    @Test func `BUF-13: a creation whose supervisor is killed meanwhile makes one actor, once`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            for round in 1...8 {
                let setup = Recorder.Setup(log: scratch.file("log-\(round)"))
                let supervisor = try #require(runtime.supervisorProcessID)
                async let creation = runtime.spawn(Recorder.self, setup)
                kill(supervisor, SIGKILL)
                let recorder = try await creation
                #expect(try await recorder.step(1) == 1)
                #expect(Notes.lines(of: setup.log) == ["init", "step 1"])
                #expect(try await runtime.actors().count == round)
                try await eventually("a supervisor serves") {
                    runtime.supervisorProcessID
                } is: {
                    $0 != nil && $0 != supervisor
                }
            }
        }
    }
}
