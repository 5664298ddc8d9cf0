import DurableActors
import DurableSupervisor
import Glibc
import Testing

/// What people try who use this for the first time.
@Suite(.serialized) struct FirstUseTests {
    @Test func `handles of actors that have collections are stored and come back`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let entry = try await runtime.spawn(Ledger.self, options: .resilient)
            let book = try await runtime.spawn(AddressBook.self, options: .resilient)
            try await book.enter(entry)
            #expect(try await entry.add("one") == 1)
            kill(try await book.processID(), SIGKILL)
            #expect(try await book.addToFirst("two") == 2)
            #expect(try await book.addToAll("three") == 3)
        }
    }

    @Test func `what a constructor creates with a set as argument is the same child in each life`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let parent = try await runtime.spawn(SetParent.self, options: .resilient)
            for life in 1...4 {
                #expect(try await parent.add() == [life, life])
                kill(try await parent.processID(), SIGKILL)
            }
        }
    }

    @MainActor
    @Test func `options are given to calls on the main actor, also several`() async throws {
        let runtime = try await ActorRuntime.start()
        let counter = try await runtime.spawn(Counter.self)
        var seen = 0
        for _ in 1...2 {
            let options = CallOptions.idempotencyKey("one").and(.timeout(.seconds(60)))
            seen += try await counter.with(options) { try await $0.add(5) }
        }
        #expect(seen == 10)
        #expect(try await counter.read() == 5)
        let both = CallOptions.idempotencyKey("one").and(.timeout(.zero))
        do {
            _ = try await counter.with(both) { try await $0.add(5) }
            Issue.record("a call that waits for no time at all was made")
        } catch let error as ActorError {
            #expect(error.code == .invalidArgument)
        }
        await runtime.shutdown()
    }

    @Test func `a temporary runtime ends with its driver, whatever actors it has`() async throws {
        let runtime = try await ActorRuntime.start()
        let counter = try await runtime.getOrCreate(Counter.self, name: "kept")
        let pid = try await counter.processID()
        let supervisor = try #require(runtime.supervisorProcessID)
        await runtime.shutdown()
        try await eventually("all is gone") {
            Processes.isAlive(pid) || Processes.isAlive(supervisor) || access(runtime.directory, F_OK) == 0
        } is: {
            !$0
        }
    }

    @Test func `actor types that workers cannot make are refused with what to do`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let generic = await failure { _ = try await runtime.spawn(Generic<Int>.self) }
            #expect(generic?.code == .invalidArgument && generic?.message.contains("generic") == true)
            let hidden = await failure { _ = try await runtime.spawn(Hidden.self) }
            #expect(hidden == nil || hidden?.message.contains("not private") == true)
        }
    }

    @Test func `a namespace in the options counts when none is given beside them`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            var options = ActorOptions.resilient.maxConcurrency(3).maxPendingCalls(7)
            #expect(options.maxRestarts == .unlimited && options.maxConcurrency == 3 && options.maxPendingCalls == 7)
            options.namespace = "x"
            let made = try await runtime.getOrCreate(Counter.self, name: "c", options: options)
            #expect(try await runtime.getActor(Counter.self, name: "c", namespace: "x") == made)
            let other = try await runtime.getOrCreate(Counter.self, name: "c", namespace: "y", options: options)
            #expect(other != made)
        }
    }
}

/// Has a collection.
distributed actor Ledger: DurableActor {
    @Checkpointed var lines = CheckpointedArray<String>()
    private let observer: Observer

    /// Refers to something that cannot be looked into.
    struct Observer: Sendable {
        var target: (any AnyObject & Sendable)?
    }

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
        observer = Observer()
    }

    distributed func add(_ line: String) -> Int {
        lines.append(line)
        return lines.count
    }
}

/// Stores handles.
distributed actor AddressBook: DurableActor {
    @Checkpointed var first: Ledger?
    @Checkpointed var all = CheckpointedDictionary<String, Ledger>()

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func enter(_ entry: Ledger) {
        first = entry
        all["entry"] = entry
    }

    distributed func addToFirst(_ line: String) async throws -> Int { try await first?.add(line) ?? -1 }

    distributed func addToAll(_ line: String) async throws -> Int { try await all["entry"]?.add(line) ?? -1 }

    distributed func processID() -> Int32 { getpid() }
}

/// Has children from its constructor, whose arguments have no order of their own.
distributed actor SetParent: DurableActor {
    private let tagged: Tagged
    private let weighed: Tagged

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async throws {
        self.actorSystem = actorSystem
        let tags = Set((0..<40).map { "tag \($0)" })
        tagged = try await actorSystem.spawn(Tagged.self, Tagged.Setup(tags: tags, weights: [:]))
        let weights = Dictionary(uniqueKeysWithValues: Tagged.Kind.allCases.map { ($0, 1) })
        weighed = try await actorSystem.spawn(Tagged.self, Tagged.Setup(tags: [], weights: weights))
    }

    distributed func add() async throws -> [Int] { [try await tagged.add(), try await weighed.add()] }

    distributed func processID() -> Int32 { getpid() }
}

distributed actor Tagged: DurableActor {
    enum Kind: String, Codable, Sendable, CaseIterable { case a, b, c, d, e, f, g, h, i, j, k, l }

    struct Setup: Codable, Sendable {
        var tags: Set<String>
        var weights: [Kind: Int]
    }

    @Checkpointed var count = 0

    init(_ setup: Setup, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func add() -> Int {
        count += 1
        return count
    }
}

distributed actor Generic<Value: Codable & Sendable>: DurableActor {
    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }
}

private distributed actor Hidden: DurableActor {
    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }
}
