import DurableActors
import Glibc
import Testing

/// Ray's cases of names, detached actors and owners.
@Suite(.serialized, .timeLimit(.minutes(2))) struct NameConformance {
    @Test func `NAM-01: a detached actor is found by the next driver, with its state`() async throws {
        let scratch = ScratchDirectory()
        let first = try TestDriver(scratch.file("data"), "detached", additions: 3)
        first.end()
        #expect(!Processes.isAlive(first.pid))
        let second = try TestDriver(scratch.file("data"), "detached", additions: 1)
        #expect(second.value == 4)
        #expect(second.worker == first.worker, "it went on meanwhile")
        second.killEverything()
    }

    @Test func `NAM-02, NAM-04: a name counts in its namespace, and there once`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let options = ActorOptions.resilient.detached(name: "one", namespace: "a")
            let counter = try await runtime.spawn(Counter.self, options: options)
            #expect(try await counter.add(5) == 5)
            for namespace in ["b", "default"] {
                let error = await failure {
                    _ = try await runtime.getActor(Counter.self, name: "one", namespace: namespace)
                }
                #expect(error?.code == .notFound)
            }
            #expect(await failure { _ = try await runtime.spawn(Counter.self, options: options) }?.code == .nameTaken)
            let found = try await runtime.getActor(Counter.self, name: "one", namespace: "a")
            #expect(try await found.read() == 5)
            let elsewhere = ActorOptions.resilient.detached(name: "one", namespace: "b")
            let other = try await runtime.spawn(Counter.self, options: elsewhere)
            #expect(other != counter)
            #expect(try await other.read() == 0)
            for each in [counter, other] { try await runtime.kill(each) }
        }
    }

    @Test func `NAM-03, LIF-06: a named actor that is not detached goes with its driver, and its name is free`()
        async throws
    {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime(directory: scratch.file("data")) { runtime in
            var options = ActorOptions.resilient
            options.name = "one"
            try await ActorRuntime.withRuntime(directory: scratch.file("data")) { creator in
                let counter = try await creator.spawn(Counter.self, options: options)
                #expect(try await counter.add(5) == 5)
                #expect(try await runtime.getActor(Counter.self, name: "one").read() == 5)
            }
            let missing = await failure { _ = try await runtime.getActor(Counter.self, name: "one") }
            #expect(missing?.code == .notFound)
            #expect(try await runtime.actors().isEmpty)
            #expect(try await runtime.spawn(Counter.self, options: options).read() == 0)
        }
    }

    @Test func `LIF-06: a driver that ends takes the processes of its actors along`() async throws {
        let scratch = ScratchDirectory()
        let driver = try TestDriver(scratch.file("data"), "owned", additions: 1)
        let children = Processes.children(of: driver.supervisor).map(\.pid)
        #expect(children.contains(driver.worker))
        driver.end()
        for pid in children + [driver.supervisor] { #expect(!Processes.isAlive(pid)) }
    }

    @Test(arguments: ["", " ", "  \t"])
    func `NAM-06, NAM-11: an empty or blank name or namespace is refused`(text: String) async throws {
        try await ActorRuntime.withRuntime { runtime in
            let detached = ActorOptions().detached(name: text)
            let errors = [
                await failure { _ = try await runtime.getActor(Counter.self, name: text) },
                await failure { _ = try await runtime.getActor(Counter.self, name: "one", namespace: text) },
                await failure { _ = try await runtime.getOrCreate(Counter.self, name: text) },
                await failure { _ = try await runtime.getOrCreate(Counter.self, name: "one", namespace: text) },
                await failure { _ = try await runtime.spawn(Counter.self, options: detached) },
            ]
            for error in errors { #expect(error?.code == .invalidArgument) }
            let actors = try await runtime.actors()
            #expect(actors.isEmpty)
        }
    }

    @Test func `NAM-14: a creator's death ends its child, and not its detached child`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let parent = try await runtime.spawn(Parent.self)
            let owned = try await parent.makeChild()
            let detached = try await parent.makeDetached("heir")
            #expect(try await owned.add(1) == 1)
            #expect(try await detached.add(1) == 1)
            kill(try await parent.processID(), SIGKILL)
            try await eventually("the child is dead") {
                await failure { _ = try await owned.read() }?.code
            } is: {
                $0 == .died
            }
            #expect(try await detached.add(1) == 2)
            kill(try await runtime.process(of: detached), SIGKILL)
            #expect(try await detached.add(1) == 3)
            try await runtime.kill(detached)
        }
    }

    @Test func `NAM-15: a detached actor whose handles are gone lives until it is killed`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            func make() async throws -> Int32 {
                let counter = try await runtime.spawn(Counter.self, options: .resilient.detached(name: "one"))
                #expect(try await counter.add(1) == 1)
                return try await counter.processID()
            }
            let process = try await make()
            let found = try await runtime.getActor(Counter.self, name: "one")
            #expect(try await found.processID() == process)
            #expect(try await found.read() == 1)
            try await runtime.kill(found)
            #expect(!Processes.isAlive(process))
        }
    }

    @Test func `NAM-08: the name of an owned actor is free when it has crashed for the last time`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            var options = ActorOptions()
            options.name = "one"
            let counter = try await runtime.spawn(Counter.self, options: options)
            #expect(try await counter.add(1) == 1)
            #expect(await failure { try await counter.crash() }?.code == .died)
            let missing = await failure { _ = try await runtime.getActor(Counter.self, name: "one") }
            #expect(missing?.code == .notFound)
            #expect(try await runtime.spawn(Counter.self, options: options).read() == 0)
        }
    }

    @Test func `NAM-13: a detached actor whose creator has left makes children, which end with it`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime(directory: scratch.file("data")) { creator in
            _ = try await creator.getOrCreate(Parent.self, name: "parent").firstChild()
        }
        try await ActorRuntime.withRuntime(directory: scratch.file("data")) { runtime in
            let parent = try await runtime.getActor(Parent.self, name: "parent")
            let child = try await parent.makeChild()
            #expect(try await child.add(1) == 1)
            #expect(try await parent.addToChild(2) == 2)
            try await runtime.kill(parent)
            try await eventually("the child is dead") {
                await failure { _ = try await child.read() }?.code
            } is: {
                $0 == .died
            }
        }
    }
}
