import CBOR
import DurableActors
import DurableCore
import Glibc
import Testing

/// Ray's case of a base class that is no actor.
@Suite(.serialized, .timeLimit(.minutes(2))) struct InheritedMethods {
    @Test func `CRE-24: distributed methods of a protocol's extensions can be called, and survive a crash`()
        async throws
    {
        try await ActorRuntime.withRuntime { runtime in
            let stepper = try await runtime.spawn(Stepper.self, options: .resilient)
            for expected in 1...3 { #expect(try await stepper.step() == expected) }
            #expect(try await step(stepper) == 4)
            #expect(try await stepper.stepBack(2) == 2)
            await #expect(throws: Refusal(reason: "at 2")) { try await stepper.refuse() }
            let before = try await runtime.process(of: stepper)
            kill(before, SIGKILL)
            #expect(try await stepper.step() == 3)
            #expect(try await stepper.own() == 3)
        }
    }

    @Test func `a method of a protocol that the actor does not conform to is refused, and so are other types for it`()
        async throws
    {
        try await ActorRuntime.withRuntime { runtime in
            let stepper = try await runtime.spawn(Stepper.self)
            let other = try await runtime.spawn(Counter.self)
            #expect(try await stepper.step() == 1)
            #expect(try await other.add(0) == 0)
            let method = "$s18DurableActorsTests8CountingPAAE4stepSiyYaKFTE"
            let types = (try name(Stepper.self), try name(Counter.self))
            #expect(try await send(method, [types.0], to: stepper, runtime, 1).number == 2, "the name is right")
            for substitutions in [[], [types.1], [types.0, types.0]] {
                let error = try await send(method, substitutions, to: stepper, runtime, 1).error
                #expect(error?.code == .unknownMethod, "\(substitutions): \(String(describing: error))")
            }
            for substitutions in [[], [types.0], [types.1]] {
                let error = try await send(method, substitutions, to: other, runtime, 2).error
                #expect(error?.code == .unknownMethod, "\(substitutions): \(String(describing: error))")
            }
            let foreign = "$s18DurableActorsTests7CounterC4readSiyYaKFTE"
            let error = try await send(foreign, [types.0], to: stepper, runtime, 1).error
            #expect(error?.code == .unknownMethod)
            #expect(try await stepper.step() == 3, "none of them was run")
        }
    }

    /// Calls through the protocol.
    private func step(_ counting: some Counting) async throws -> Int { try await counting.step() }

    private func name(_ type: any Any.Type) throws -> String { try #require(_mangledTypeName(type)) }

    private func send(
        _ method: String,
        _ substitutions: [String],
        to actor: some DurableActor,
        _ runtime: ActorRuntime,
        _ shard: ShardNumber
    ) async throws -> CallOutcome {
        let caller = try RawCaller(runtime, shard: shard)
        let frame = CallFrame(
            actor: actor.id,
            id: CallID(session: caller.session, sequence: 1),
            firstIncomplete: 1,
            method: method,
            genericSubstitutions: substitutions,
            arguments: []
        )
        return try await caller.send(frame).outcome
    }
}

/// Methods that any actor with a number has.
protocol Counting: DurableActor {
    var number: Int { get set }
}

extension Counting {
    distributed func step() -> Int {
        number += 1
        return number
    }

    distributed func refuse() throws { throw Refusal(reason: "at \(number)") }
}

/// Methods of those that can also go back.
protocol Backing {}

extension Counting where Self: Backing {
    distributed func stepBack(_ count: Int) -> Int {
        number -= count
        return number
    }
}

/// Has its methods from the protocols.
distributed actor Stepper: Counting, Backing {
    @Checkpointed var number = 0

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func own() -> Int { number }
}
