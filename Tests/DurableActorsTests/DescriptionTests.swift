import DurableActors
import Testing

/// Keeps more than its state, of types that cannot be read from memory that was never set.
distributed actor Furnished: DurableActor {
    @Checkpointed var words = ["stored"]
    var existential: any Sendable = "text"
    var closure: @Sendable () -> String = { "called" }
    let name: String
    var optional: [String: [Int]]?

    init(_ name: String, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
        self.name = name
    }

    distributed func shown() -> [String] {
        var dumped = ""
        dump(self, to: &dumped)
        return ["\(self)", String(reflecting: self), dumped]
    }

    distributed func add(_ word: String) -> [String] {
        words.append(word)
        return words
    }
}

/// What people see of an actor.
@Suite(.serialized) struct DescriptionTests {
    @Test func `a handle shows its type and identity, wherever it is printed, reflected or dumped`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let actor = try await runtime.spawn(Furnished.self, "name")
            let text = "Furnished(\(actor.id))"
            #expect("\(actor)" == text && String(describing: actor) == text && String(reflecting: actor) == text)
            let mirror = Swift.Mirror(reflecting: actor)
            #expect(mirror.children.map(\.label) == ["id"] && mirror.superclassMirror == nil)
            #expect(mirror.children.first?.value as? ActorID == actor.id)
            var dumped = ""
            dump([actor], to: &dumped)
            #expect(dumped.contains(text))

            // The actor itself shows the same, and its state is found all the same.
            #expect(try await actor.shown().prefix(2) == [text, text])
            #expect(try await actor.shown()[2].contains(text))
            #expect(try await actor.add("more") == ["stored", "more"])
        }
    }

    @Test func `an expectation about handles that fails is an issue and ends no process`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let first = try await runtime.spawn(Furnished.self, "first")
            let second = try await runtime.spawn(Furnished.self, "second")
            withKnownIssue {
                #expect(first == second)
            } matching: { issue in
                issue.description.contains("\(first.id)")
            }
        }
    }
}
