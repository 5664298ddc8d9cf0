import CBOR
import DurableActors
import DurableCore
import Testing

/// Which methods a caller may name. Swift would run any distributed method on any actor.
@Suite(.serialized) struct MethodCheckTests {
    @Test func `only distributed methods of the actor's own type can be called`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let shelf = try await runtime.spawn(Shelf.self)
            let shelving = try await runtime.spawn(Shelving.self)
            let drawer = try await runtime.spawn(Shelf.Drawer.self)
            let box = try await runtime.spawn(Shelf.Room.Box.self)
            let own = RawCaller.method("add", of: Shelf.self)
            let others: [any DurableActor.Type] = [Shelving.self, Shelf.Drawer.self, Shelf.Room.Box.self]
            let foreign = others.map { RawCaller.method("add", of: $0) }

            // Each name is real: the type that it belongs to answers to it.
            #expect(try await number(own, on: shelf, runtime, 1).outcome.number == 1)
            #expect(try await number(foreign[0], on: shelving, runtime, 2).outcome.number == 1)
            #expect(try await number(foreign[1], on: drawer, runtime, 3).outcome.number == 1)
            #expect(try await number(foreign[2], on: box, runtime, 4).outcome.number == 1)

            let unknown = [
                "", "add", "$s4main", "TE", "free", "exit", own + "x", String(own.dropLast(2)),
                own.replacing("Shelf", with: "Shelg"), RawCaller.method("remove", of: Shelf.self),
                RawCaller.method("local", of: Shelf.self), String(own.prefix { $0 != "3" }) + "TE",
            ]
            let pid = try await runtime.process(of: shelf)
            for name in foreign + unknown {
                let error = try await number(name, on: shelf, runtime, 1).outcome.error
                #expect(error?.code == .unknownMethod, "\(name): \(String(describing: error))")
                #expect(error?.message.isEmpty == false)
            }
            // And the other way round: a type within another one has none of the outer one's methods.
            for (actor, shard) in [(drawer.id, 3 as ShardNumber), (box.id, 4)] {
                let error = try await send(own, to: actor, runtime, shard, [1]).outcome.error
                #expect(error?.code == .unknownMethod)
            }
            #expect(try await number(own, on: shelving, runtime, 2).outcome.error?.code == .unknownMethod)
            #expect(try await shelf.add(1) == 2, "none of them was run")
            #expect(try await shelving.add(1) == 2)
            #expect(try await runtime.process(of: shelf) == pid, "the actor lives")
        }
    }

    @Test func `a call with too few arguments, or arguments of another type, is refused and changes nothing`()
        async throws
    {
        try await ActorRuntime.withRuntime { runtime in
            let shelf = try await runtime.spawn(Shelf.self)
            let own = RawCaller.method("add", of: Shelf.self)
            #expect(try await shelf.add(0) == 0)
            let pid = try await runtime.process(of: shelf)
            let missing = try await send(own, to: shelf.id, runtime, 1, [Int]()).outcome.error
            #expect(missing?.code == .serialization)
            #expect(missing?.message.contains("0 arguments") == true, "\(String(describing: missing))")
            let text = try await send(own, to: shelf.id, runtime, 1, ["one"]).outcome.error
            #expect(text?.code == .serialization)
            #expect(text?.message.contains("argument 1 cannot be read as Int") == true, "\(String(describing: text))")
            #expect(try await shelf.add(1) == 1)
            #expect(try await runtime.process(of: shelf) == pid, "the actor lives")
        }
    }

    private func number(
        _ method: String,
        on actor: some DurableActor,
        _ runtime: ActorRuntime,
        _ shard: ShardNumber
    ) async throws -> ReplyFrame {
        try await send(method, to: actor.id, runtime, shard, [1])
    }

    private func send(
        _ method: String,
        to actor: ActorID,
        _ runtime: ActorRuntime,
        _ shard: ShardNumber,
        _ arguments: [some Encodable]
    ) async throws -> ReplyFrame {
        let caller = try RawCaller(runtime, shard: shard)
        let id = CallID(session: caller.session, sequence: 1)
        let encoded = try arguments.map { try CBOREncoder().encode($0) }
        return try await caller.send(
            CallFrame(actor: actor, id: id, firstIncomplete: 1, method: method, arguments: encoded)
        )
    }
}

/// Its name begins like that of `Shelving`, and the names of its nested types begin with its own.
distributed actor Shelf: DurableActor {
    enum Room {
        distributed actor Box: DurableActor {
            @Checkpointed var value = 0

            init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
                self.actorSystem = actorSystem
            }

            distributed func add(_ amount: Int) -> Int {
                value += amount
                return value
            }
        }
    }

    distributed actor Drawer: DurableActor {
        @Checkpointed var value = 0

        init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
            self.actorSystem = actorSystem
        }

        distributed func add(_ amount: Int) -> Int {
            value += amount
            return value
        }
    }

    @Checkpointed var value = 0

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
    }

    distributed func add(_ amount: Int) -> Int { local(amount) }

    func local(_ amount: Int) -> Int {
        value += amount
        return value
    }
}

/// Not a `Shelf`, whatever its name begins with.
distributed actor Shelving: DurableActor {
    @Checkpointed var value = 0

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
    }

    distributed func add(_ amount: Int) -> Int {
        value += amount
        return value
    }
}
