import DurableActors
import Glibc
import Testing

/// Ray's case of children whose parent starts again, and what stored state makes of it.
@Suite(.serialized, .timeLimit(.minutes(2))) struct ChildConformance {
    /// Kills the present life, and waits until the next has answered.
    private func restart(_ parent: Founder, in runtime: ActorRuntime) async throws {
        let process = try await runtime.process(of: parent)
        kill(process, SIGKILL)
        try await eventually("the next life answers") {
            try await parent.processID()
        } is: {
            $0 != process
        }
    }

    private func living(_ runtime: ActorRuntime) async throws -> Int { try await runtime.actors().count }

    @Test(arguments: [ActorOptions.resilient, .resilient.shared("family")])
    func `RST-28: a parent's next life has the child of its constructor again, with its state, and no second one`(
        options: ActorOptions
    ) async throws {
        try await ActorRuntime.withRuntime { runtime in
            let parent = try await runtime.spawn(Founder.self, Founder.Setup(), options: options)
            let child = try await parent.first()
            #expect(try await child.add(5) == 5)
            for _ in 1...2 {
                try await restart(parent, in: runtime)
                #expect(try await parent.first() == child)
                #expect(try await living(runtime) == 2)
            }
            #expect(try await child.add(1) == 6)
            #expect(try await parent.stored().isEmpty)
        }
    }

    @Test func `RST-28: a child whose handle is stored lives on when its parent starts again`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let parent = try await runtime.spawn(Founder.self, Founder.Setup(), options: .resilient)
            let child = try await parent.found()
            #expect(try await child.add(5) == 5)
            try await restart(parent, in: runtime)
            #expect(try await parent.stored() == [child])
            #expect(try await child.read() == 5)
        }
    }

    @Test(arguments: [ActorOptions.resilient, .resilient.shared("family")])
    func `RST-28: a parent that stores nothing has fresh children, and the old ones are gone`(
        options: ActorOptions
    ) async throws {
        var options = options
        options.durability = .none
        try await ActorRuntime.withRuntime { runtime in
            let parent = try await runtime.spawn(Founder.self, Founder.Setup(), options: options)
            let (first, old) = (try await parent.first(), try await parent.found())
            #expect(try await old.add(5) == 5)
            try await restart(parent, in: runtime)
            let fresh = try await parent.found()
            #expect(fresh != old)
            #expect(try await fresh.add(1) == 1)
            try await eventually("the old child is gone") {
                await failure { _ = try await old.read() }?.code
            } is: {
                $0 == .died
            }
            #expect(try await parent.first() == first, "the constructor has made it again")
            #expect(try await first.read() == 0)
            #expect(try await living(runtime) == 3)
        }
    }

    @Test func `children that only a former constructor made do not pile up`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let setup = Founder.Setup(isFickle: true)
            let parent = try await runtime.spawn(Founder.self, setup, options: .resilient)
            _ = try await parent.first()
            for _ in 1...4 { try await restart(parent, in: runtime) }
            // The one of the first life may be in the stored state.
            try await eventually("only the first and the last are left") {
                try await living(runtime)
            } is: {
                $0 == 3
            }
            #expect(try await parent.first().add(1) == 1)
        }
    }

    @Test func `a named child of a constructor is found again, and one that has ended is made anew`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let setup = Founder.Setup(name: "heir")
            let parent = try await runtime.spawn(Founder.self, setup, options: .resilient)
            let child = try await parent.first()
            try await restart(parent, in: runtime)
            #expect(try await parent.first() == child)
            try await runtime.kill(child)
            try await restart(parent, in: runtime)
            let next = try await parent.first()
            #expect(next != child)
            #expect(try await next.add(1) == 1)
            #expect(try await runtime.getActor(Counter.self, name: "heir") == next)
        }
    }

    @Test(arguments: [ActorOptions.resilient, .resilient.shared("family")])
    func `a child that has ended is not had again, also when its supervisor is another one by then`(
        options: ActorOptions
    ) async throws {
        try await ActorRuntime.withRuntime { runtime in
            let setup = Founder.Setup(isShared: options.isolation != .dedicated)
            let parent = try await runtime.spawn(Founder.self, setup, options: options)
            var former: Set<ActorID> = []
            for _ in 1...3 {
                let child = try await parent.first()
                #expect(former.insert(child.id).inserted)
                #expect(try await child.add(1) == 1)
                try await runtime.kill(child)
                let supervisor = try #require(runtime.supervisorProcessID)
                kill(supervisor, SIGKILL)
                try await eventually("a new supervisor") {
                    runtime.supervisorProcessID
                } is: {
                    $0 != nil && $0 != supervisor
                }
                try await restart(parent, in: runtime)
            }
            #expect(try await parent.first().add(1) == 1)
            #expect(try await living(runtime) == 2)
        }
    }

    @Test func `a turn that is run again has the children that it had`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let parent = try await runtime.spawn(Founder.self, Founder.Setup(), options: .resilient)
            let children = try await parent.foundDying(3, times: 3, log: scratch.file("log"))
            #expect(Set(children).count == 3)
            #expect(try await living(runtime) == 5)
            for child in children { #expect(try await child.read() == 1, "and what it told them, once") }
            let others = try await parent.foundDying(3, times: 0, log: scratch.file("log"))
            #expect(Set(children + others).count == 6, "another call has others")
        }
    }
}

/// Makes children, in its constructor and in turns.
distributed actor Founder: DurableActor {
    struct Setup: Codable, Sendable {
        var name: String?
        /// Whether the child lives in a group.
        var isShared = false
        /// Whether each life's child is another one.
        var isFickle = false
    }

    @Checkpointed var kept: [Counter] = []
    private let child: Counter

    init(_ setup: Setup, actorSystem: ActorRuntime) async throws {
        self.actorSystem = actorSystem
        var options = ActorOptions.resilient
        if setup.isShared { options = options.shared("children") }
        options.name = setup.name
        if setup.isFickle { options.namespace = "life-\(getpid())" }
        child = try await actorSystem.spawn(Counter.self, options: options)
    }

    distributed func first() -> Counter { child }

    distributed func stored() -> [Counter] { kept }

    distributed func found() async throws -> Counter {
        let counter = try await actorSystem.spawn(Counter.self, options: .resilient)
        kept.append(counter)
        return counter
    }

    /// Dies when its children have been told something, as often as told.
    distributed func foundDying(_ count: Int, times: Int, log: String) async throws -> [Counter] {
        var children: [Counter] = []
        for _ in 0..<count {
            children.append(try await actorSystem.spawn(Counter.self, options: .resilient))
        }
        for child in children { _ = try await child.add(1) }
        if Attempts.note(in: log) <= times { raise(SIGKILL) }
        return children
    }

    distributed func processID() -> Int32 { getpid() }
}
