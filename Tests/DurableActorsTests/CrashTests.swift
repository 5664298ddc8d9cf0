import DurableActors
import DurableCore
import Glibc
import Testing

/// Workers die at every stage of a call. Checked each time: nothing acknowledged is lost, nothing is applied twice.
@Suite(.serialized) struct CrashTests {
    @Test func `STA-03: state survives the kill of an idle worker`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self, options: .resilient)
            #expect(try await counter.add(5) == 5)
            let first = try await counter.processID()
            kill(first, SIGKILL)
            #expect(try await counter.add(1) == 6)
            #expect(try await counter.processID() != first)
            #expect(try await counter.calls() <= 2, "transient state starts again")
        }
    }

    @Test func `RST-06, STA-04: a call that dies in its middle is applied once by its retry`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self, options: .resilient)
            _ = try await counter.add(1)
            #expect(try await counter.addDying(10, times: 3, log: scratch.file("log")) == 11)
            #expect(Attempts.count(in: scratch.file("log")) == 4)
            #expect(try await counter.read() == 11)
        }
    }

    @Test(arguments: [
        FaultPoint.workerBeforeClaim, .workerBeforeRestore, .workerAfterRestore, .workerBeforeCommit,
        .workerInsideCommit, .workerAfterCommit,
    ])
    func `a kill at each fault point neither loses nor doubles a call`(point: FaultPoint) async throws {
        for durability in [Durability.disk, .process] {
            var configuration = RuntimeConfiguration()
            configuration.faults = (1...4).map {
                FaultSpecification(point, occurrence: $0 == 1 ? 1 : 2, incarnation: Incarnation($0), action: .kill)
            }
            // The second passage of a point that is passed once a life never comes; kill at the first there.
            if [.workerBeforeClaim, .workerBeforeRestore, .workerAfterRestore].contains(point) {
                configuration.faults = [2, 3].map { FaultSpecification(point, incarnation: $0, action: .kill) }
            }
            try await ActorRuntime.withRuntime(configuration: configuration) { runtime in
                var options = ActorOptions.resilient
                options.durability = durability
                let counter = try await runtime.spawn(Counter.self, options: options)
                if configuration.faults.first?.incarnation == 2 {
                    _ = try await counter.read()
                    kill(try await runtime.process(of: counter), SIGKILL)
                }
                for expected in 1...20 { #expect(try await counter.add(1) == expected) }
                #expect(try await counter.read() == 20)
                #expect(try await runtime.summary(of: counter).restarts >= 2, "the faults struck")
            }
        }
    }

    @Test func `ORD-09: many calls in flight are each applied once, in order, over kills`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self, options: .resilient)
            _ = try await counter.read()
            let refs = (1...400).map { number in counter.submit { try await $0.append(number) } }
            for position in stride(from: 0, to: 400, by: 40) {
                #expect(try await refs[position].value == 1)
                kill(try await runtime.process(of: counter), SIGKILL)
            }
            for ref in refs { #expect(try await ref.value == 1, "no other call came between") }
            #expect(try await counter.list() == Array(1...400))
        }
    }

    @Test func `an actor calls another one, and both survive`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let first = try await runtime.spawn(Counter.self, options: .resilient)
            let second = try await runtime.spawn(Counter.self, options: .resilient)
            #expect(try await first.forward(to: second, 3) == 3)
            kill(try await runtime.process(of: second), SIGKILL)
            #expect(try await first.forward(to: second, 4) == 7)
            #expect(try await second.read() == 7)
            #expect(try await first.read() == 0)
        }
    }
}
