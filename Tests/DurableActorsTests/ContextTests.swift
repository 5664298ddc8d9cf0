import DurableActors
import DurableCore
import Glibc
import Testing

/// What the code of an actor learns of it. Checked: each value, in constructor, methods and tasks, over restarts, for
/// dedicated and shared actors.
@Suite(.serialized) struct ContextTests {
    static let kinds = [ActorOptions.resilient, ActorOptions.resilient.shared("group")]

    @Test(arguments: kinds)
    func `CTX-01: constructor, methods and their tasks see the actor's id, the same in each life; others see none`(
        options: ActorOptions
    ) async throws {
        #expect(ActorContext.current == nil)
        try await ActorRuntime.withRuntime { runtime in
            let mirror = try await runtime.spawn(Mirrored.self, options: options)
            for life in 0...2 {
                #expect(try await mirror.start()?.id == mirror.id)
                #expect(try await mirror.now()?.id == mirror.id)
                #expect(try await mirror.elsewhere().map { $0?.id } == [mirror.id, nil])
                #expect(try await mirror.now()?.type == "Mirrored")
                #expect(try await mirror.now()?.maxRestarts == .unlimited)
                #expect(try await mirror.add(1) == life + 1)
                kill(try await runtime.process(of: mirror), SIGKILL)
            }
            #expect(ActorContext.current == nil)
        }
    }

    @Test(arguments: kinds)
    func `CTX-02: a named actor sees its name in each life, an unnamed one an empty text`(
        options: ActorOptions
    ) async throws {
        try await ActorRuntime.withRuntime { runtime in
            var named = options
            named.name = "ada"
            let ada = try await runtime.spawn(Mirrored.self, options: named)
            let other = try await runtime.spawn(Mirrored.self, options: options)
            for life in 0...1 {
                #expect(try await ada.start()?.name == "ada")
                #expect(try await ada.now()?.name == "ada")
                #expect(try await other.now()?.name == "")
                #expect(try await ada.add(1) == life + 1)
                kill(try await runtime.process(of: ada), SIGKILL)
            }
        }
    }

    @Test(arguments: kinds)
    func `CTX-06: an actor sees its namespace in each life, and what it creates and looks up is in that one`(
        options: ActorOptions
    ) async throws {
        try await ActorRuntime.withRuntime { runtime in
            let parent = try await runtime.getOrCreate(
                Mirrored.self,
                name: "parent",
                namespace: "north",
                options: options
            )
            for _ in 0...1 {
                #expect(try await parent.start()?.namespace == "north")
                #expect(try await parent.family().map { $0?.namespace } == ["north", "north", "north"])
                kill(try await runtime.process(of: parent), SIGKILL)
            }
            #expect(await failure { _ = try await runtime.getActor(Mirrored.self, name: "named") }?.code == .notFound)
            let named = try await runtime.getActor(Mirrored.self, name: "named", namespace: "north")
            #expect(try await named.now()?.name == "named")
            #expect(try await runtime.spawn(Mirrored.self).now()?.namespace == "default")
            try await runtime.kill(named)
            try await runtime.kill(parent)
        }
    }

    @Test func `CTX-04: actors are listed by driver and by the name of a state, and an unknown name is refused`()
        async throws
    {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime(directory: scratch.path) { first in
            try await ActorRuntime.withRuntime(directory: scratch.path) { second in
                let own = try await first.spawn(Mirrored.self)
                let parent = try await second.spawn(Mirrored.self, options: .resilient.shared("group"))
                let detached = try await second.getOrCreate(Mirrored.self, name: "detached", namespace: "north")
                let big = ActorOptions.default.resources(custom: ["none-of-this": 1])
                let pending = try await second.spawn(Mirrored.self, options: big)
                for mirror in [own, parent, detached] { #expect(try await mirror.add(1) == 1) }
                // Named children are detached, the others belong to their parent.
                let children = Set(try await parent.family().compactMap { $0?.id })
                let all = Set(try await first.actors().map(\.id))
                #expect(all.isSuperset(of: children.union([own.id, parent.id, detached.id, pending.id])))

                let firsts = try await second.actors(driver: first.driverID)
                #expect(firsts.map(\.id) == [own.id] && firsts.map(\.driver) == [first.driverID])
                let seconds = try await first.actors(driver: second.driverID)
                #expect(seconds.allSatisfy { $0.driver == second.driverID })
                let ofSecond = Set(seconds.map(\.id))
                #expect(ofSecond.isSuperset(of: [parent.id, pending.id]) && !ofSecond.contains(detached.id))
                #expect(!ofSecond.contains(own.id) && !children.isDisjoint(with: ofSecond.subtracting([parent.id])))

                #expect(try await first.actors(state: "pending").map(\.id) == [pending.id])
                let alive = Set(try await first.actors(state: "alive").map(\.id))
                #expect(alive.isSuperset(of: [own.id, parent.id, detached.id]) && !alive.contains(pending.id))
                #expect(try await first.actors(driver: first.driverID, state: "pending").isEmpty)
                let error = await failure { _ = try await first.actors(state: "ALIFE") }
                #expect(error?.code == .invalidArgument)
                for state in ["ALIFE", "dormant", "pending", "starting", "alive", "restarting", "ended"] {
                    #expect(error?.message.contains(state) == true)
                }
                for child in try await first.actors() where child.driver == nil {
                    try await first.kill(child.id)
                }
            }
        }
    }

    @Test(arguments: kinds)
    func `STA-23: an actor was restarted from its first restart on, already in the constructor`(
        options: ActorOptions
    ) async throws {
        try await ActorRuntime.withRuntime { runtime in
            let mirror = try await runtime.spawn(Mirrored.self, options: options)
            #expect(try await mirror.add(1) == 1)
            for life in 1...3 {
                for seen in [try await mirror.start(), try await mirror.now()] {
                    #expect(seen?.incarnation == UInt64(life))
                    #expect(seen?.wasRestarted == (life > 1))
                    #expect(seen?.wasRestored == (life > 1))
                }
                kill(try await runtime.process(of: mirror), SIGKILL)
            }
            // A newcomer of a group whose worker has had several lives has had one.
            #expect(try await mirror.add(1) == 2)
            let newcomer = try await runtime.spawn(Mirrored.self, options: options)
            #expect(try await newcomer.start()?.restarts == 0)
            #expect(try await newcomer.start()?.wasRestarted == false)
            try await runtime.kill(newcomer, noRestart: false)
            try await eventually("the newcomer was restarted") {
                try await newcomer.start()?.wasRestarted
            } is: {
                $0 == true
            }
        }
    }

    @Test func `STA-23: what stores nothing was restarted, and not restored`() async throws {
        var options = ActorOptions.resilient
        options.durability = .none
        try await ActorRuntime.withRuntime { runtime in
            for options in [options, options.shared("memory")] {
                let mirror = try await runtime.spawn(Mirrored.self, options: options)
                #expect(try await mirror.start()?.wasRestarted == false)
                kill(try await runtime.process(of: mirror), SIGKILL)
                let seen = try #require(try await mirror.start())
                #expect(seen.wasRestarted && !seen.wasRestored && seen.restarts == 1)
            }
        }
    }

    @Test func `RST-33: the counter of restarts reads 0, after a restart 1, inside and outside`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let mirror = try await runtime.spawn(Mirrored.self, options: .resilient)
            for restarts in 0...2 {
                #expect(try await mirror.now()?.restarts == restarts)
                // The supervisor may hear of a life behind its first caller.
                try await eventually("life \(restarts + 1) is alive to the supervisor") {
                    try await runtime.summary(of: mirror)
                } is: {
                    $0.restarts == restarts && $0.state == .alive && $0.incarnation == UInt64(restarts) + 1
                }
                kill(try await runtime.process(of: mirror), SIGKILL)
                try await eventually("the restart is counted") {
                    try await runtime.summary(of: mirror).restarts
                } is: {
                    $0 == restarts + 1
                }
            }
        }
    }
}
