import DurableActors
import Testing

/// What an actor type says of methods that it does not have.
@Suite(.serialized) struct MethodNameTests {
    private func refusal<Act: DurableActor>(_ type: Act.Type) async throws -> ActorError?
    where Act.Arguments == NoArguments {
        try await ActorRuntime.withRuntime { (runtime) async throws -> ActorError? in
            var errors: [ActorError?] = []
            for _ in 1...2 { errors.append(await failure { _ = try await runtime.spawn(type) }) }
            errors.append(await failure { _ = try await runtime.getOrCreate(type, name: "named") })
            #expect(Set(errors.map { $0?.message }).count == 1, "each time the same")
            #expect(try await runtime.actors().isEmpty)
            return errors[0]
        }
    }

    @Test func `a method that is misspelt in a concurrency group is refused with type, group and known methods`()
        async throws
    {
        let error = try await refusal(MisspeltGroup.self)
        #expect(error?.code == .invalidArgument)
        for part in ["MisspeltGroup", "\"io\"", "\"fecth\"", "fetch(_:from:)", "store()", "greet(_:)"] {
            #expect(error?.message.contains(part) == true, "\(part)")
        }
        #expect(error?.message.contains("hidden") == false, "it is no distributed method")
    }

    @Test func `method options of a name without its labels are refused`() async throws {
        let error = try await refusal(MisspeltOptions.self)
        #expect(error?.code == .invalidArgument)
        for part in ["MisspeltOptions", "methodOptions", "\"fetch\"", "fetch(_:from:)"] {
            #expect(error?.message.contains(part) == true, "\(part)")
        }
    }

    @Test func `methods of the type, of its extensions and of its protocols are known`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let actor = try await runtime.spawn(WellSpelt.self)
            #expect(try await actor.greet("you") == "hello you")
            #expect(try await actor.added() == 1)
        }
    }
}

/// Gives its actors a method.
protocol Greeting: DurableActor {}

extension Greeting {
    distributed func greet(_ name: String) -> String { "hello \(name)" }
}

distributed actor MisspeltGroup: Greeting {
    static var concurrencyGroups: [ConcurrencyGroup] {
        [ConcurrencyGroup("io", limit: 2, methods: ["fetch", "store()", "fecth"])]
    }

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func fetch(_ key: String, from place: String) -> String { key + place }

    distributed func store() {}

    func hidden() {}
}

distributed actor MisspeltOptions: DurableActor {
    static var methodOptions: [String: MethodOptions] { ["fetch": MethodOptions(maxTaskRetries: 1)] }

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func fetch(_ key: String, from place: String) -> String { key + place }
}

distributed actor WellSpelt: Greeting {
    static var concurrencyGroups: [ConcurrencyGroup] {
        [ConcurrencyGroup("io", limit: 2, methods: ["fetch", "greet", "added()"])]
    }

    static var methodOptions: [String: MethodOptions] {
        ["fetch(_:from:)": MethodOptions(maxTaskRetries: 1), "greet(_:)": MethodOptions(maxTaskRetries: 1)]
    }

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func fetch(_ key: String, from place: String) -> String { key + place }
}

extension WellSpelt {
    distributed func added() -> Int { 1 }
}
