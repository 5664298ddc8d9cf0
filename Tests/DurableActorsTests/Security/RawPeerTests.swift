import CBOR
import Distributed
import DurableCore
import DurableSupervisor
import Glibc
import Synchronization
import Testing

@testable import DurableActors

/// What a process can have run that speaks the protocol itself and names what it likes. See also `MethodCheckTests` and
/// `InheritedConformance`.
@Suite(.serialized, .timeLimit(.minutes(2))) struct RawPeerTests {
    @Test func `no function of the program or of its libraries can be called by its name`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let guarded = try await runtime.spawn(Guarded.self)
            #expect(try await guarded.add(1) == 1)
            let pid = try await runtime.process(of: guarded)
            let own = RawCaller.method("add", of: Guarded.self)
            let type = try #require(_mangledTypeName(Guarded.self))
            let names = [
                // Standard library and C: print, fatalError, exit, system, a property, an operator, a metadata accessor.
                "$ss5print_9separator10terminatoryypd_S2StF",
                "$ss10fatalError_4file4lines5NeverOSSyXK_s12StaticStringVSutF",
                "exit", "system", "abort", "$sSS5countSivg", "$sSi1poiyS2i_SitFZ", "$sSiMa",
                // The same, made to look like a distributed method.
                "$ss5print_9separator10terminatoryypd_S2StFTE", "$sSS5countSivgTE", "$s4exitTE", "$sTE", "TE", "$s",
                // The actor's own, and not distributed: a function, a private one, an accessor, the constructor.
                "$s\(type)6secretyS2iF", "$s\(type)6secretyS2iFTE", "$s\(type)5valueSivg", "$s\(type)5valueSivgTE",
                "$s\(type)_11actorSystemACx_AA0C7RuntimeCtYacfcTE", "$s\(type)MaTE",
                // A distributed method of an actor that is none of ours.
                RawCaller.method("add", of: Outsider.self),
                // Text that is no name at all.
                "\u{0}", "$s\(type)3add\u{0}yS2iYaKFTE", "$s\(type)" + String(repeating: "3add", count: 20_000) + "TE",
                "../../bin/sh", "%s%n%n",
            ]
            for name in names {
                let error = try await send(name, [], to: guarded, runtime)
                #expect(error?.code == .unknownMethod, "\(name.prefix(80)): \(String(describing: error?.code))")
            }
            // The name is right, and the types that are to be filled in are the caller's idea.
            for substitutions in [["Si"], [type], ["SS", "SS"], ["$sSi"], [""], ["12_CanNotExistV"]] {
                let error = try await send(own, substitutions, to: guarded, runtime)
                #expect(error?.code == .unknownMethod, "\(substitutions)")
            }
            #expect(try await guarded.add(1) == 2, "nothing has run")
            #expect(try await guarded.touched() == 0)
            #expect(try await runtime.process(of: guarded) == pid, "the process has not died of it")
        }
    }

    @Test(arguments: ["Si", "SS", "", "s5ErrorP", "So8NSObjectC", "no type", "../../bin/sh", "9_CanNotBeV"])
    func `a type that is no actor of the program is hosted by nobody`(typeName: String) async throws {
        try await ActorRuntime.withRuntime { runtime in
            let error = try await refusal(of: typeName, runtime)
            #expect(error != nil)
            let counter = try await runtime.spawn(Counter.self)
            #expect(try await counter.add(1) == 1, "the runtime goes on")
        }
    }

    @Test func `neither is a distributed actor that is none of ours`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let typeName = try #require(_mangledTypeName(Outsider.self))
            #expect(_typeByName(typeName) != nil, "a worker would find it")
            #expect(try await refusal(of: typeName, runtime) != nil)
            #expect(Outsider.made.load(ordering: .relaxed) == 0)
        }
    }

    /// Asks the supervisor for an actor of this type, and calls it.
    private func refusal(of typeName: String, _ runtime: ActorRuntime) async throws -> ActorError? {
        var generator = SystemRandomNumberGenerator()
        let id = ActorID(random: &generator)
        let request = CreateRequest(
            id: id,
            typeName: typeName,
            typeDescription: "whatever",
            arguments: try CBOREncoder().encode(NoArguments()),
            options: ActorOptions(maxRestarts: 0),
            owner: runtime.owner,
            executable: runtime.executable,
            getsExisting: false
        )
        switch try await runtime.link.request(.create(request)) {
        case .failed(let error): return error
        default:
            let counter = try Counter.resolve(id: id, using: runtime)
            return await failure { _ = try await counter.add(1) }
        }
    }

    private func send(
        _ method: String,
        _ substitutions: [String],
        to actor: some DurableActor,
        _ runtime: ActorRuntime
    ) async throws -> ActorError? {
        let caller = try RawCaller(runtime, shard: 1)
        let frame = CallFrame(
            actor: actor.id,
            id: CallID(session: caller.session, sequence: 1),
            firstIncomplete: 1,
            method: method,
            genericSubstitutions: substitutions,
            arguments: [try CBOREncoder().encode(1)]
        )
        return try await caller.send(frame).outcome.error
    }
}

/// Notes when something is run that must not be.
distributed actor Guarded: DurableActor {
    @Checkpointed var value = 0
    private var count = 0

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func add(_ amount: Int) -> Int {
        value += amount
        return value
    }

    distributed func touched() -> Int { count }

    func secret(_ amount: Int) -> Int {
        count += amount
        return count
    }
}
