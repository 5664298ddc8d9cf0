import DurableActors
import DurableCore
import DurableStore
import DurableSupervisor
import Glibc
import Testing

/// Leaves when it wants to.
distributed actor Leaver: DurableActor {
    struct Setup: Codable, Sendable {
        /// A byte for each start.
        var starts: String
        /// Whether the constructor leaves.
        var atStart = false
    }

    @Checkpointed var value = 0

    init(_ setup: Setup, actorSystem: ActorRuntime) async throws {
        self.actorSystem = actorSystem
        _ = Attempts.note(in: setup.starts)
        if setup.atStart { try await Self.exit() }
    }

    /// The compiler warns of an actor's constructor that calls what never returns.
    private static func exit() async throws { try await ActorContext.exit() }

    distributed func add(_ amount: Int) -> Int {
        value += amount
        return value
    }

    distributed func processID() -> Int32 { getpid() }

    /// Changes something and leaves; notes when it was begun, and when anything runs behind the exit.
    distributed func leave(begun: String, behind: String) async throws -> Int {
        _ = Attempts.note(in: begun)
        defer { _ = Attempts.note(in: behind) }
        value += 100
        try await ActorContext.exit()
    }

    /// Waits for a file, so that calls can queue up, then leaves.
    distributed func leave(after file: String) async throws {
        while access(file, F_OK) != 0 { try await Task.sleep(for: .milliseconds(2)) }
        do {
            try await ActorContext.exit()
        } catch {
            value = -1
        }
    }
}

/// Actors that end themselves. Checked: what callers get, that nothing is run again or kept, that others live on.
@Suite(.serialized) struct ExitTests {
    static let kinds = [ActorOptions.default, .resilient, .resilient.shared("group")]

    private func isIntended(_ error: ActorError?) -> Bool {
        error?.code == .died && error?.message.contains("intended exit") == true
    }

    @Test(arguments: kinds)
    func `EXT-01, EXT-02: nothing runs behind an exit, its call fails with the intent, and nothing is run again`(
        options: ActorOptions
    ) async throws {
        let scratch = ScratchDirectory()
        let (begun, behind, starts) = (scratch.file("begun"), scratch.file("behind"), scratch.file("starts"))
        try await ActorRuntime.withRuntime { runtime in
            let leaver = try await runtime.spawn(Leaver.self, Leaver.Setup(starts: starts), options: options)
            #expect(try await leaver.add(1) == 1)
            let error = await failure { _ = try await leaver.leave(begun: begun, behind: behind) }
            #expect(isIntended(error), "\(String(describing: error))")
            #expect(error?.actor == leaver.id)
            let later = await failure { _ = try await leaver.add(1) }
            #expect(isIntended(later), "\(String(describing: later))")
            #expect(try await runtime.actors().isEmpty)
            #expect(Attempts.count(in: begun) == 1)
            #expect(Attempts.count(in: behind) == 0)
            #expect(Attempts.count(in: starts) == 1)
        }
    }

    @Test(arguments: kinds)
    func `EXT-01: calls that wait behind an exit fail like its own, those before it have their outcome`(
        options: ActorOptions
    ) async throws {
        let scratch = ScratchDirectory()
        let (file, starts) = (scratch.file("file"), scratch.file("starts"))
        try await ActorRuntime.withRuntime { runtime in
            let leaver = try await runtime.spawn(Leaver.self, Leaver.Setup(starts: starts), options: options)
            let before = leaver.submit { try await $0.add(1) }
            let leaving = leaver.submit { try await $0.leave(after: file) }
            let behind = (1...20).map { _ in leaver.submit { try await $0.add(1) } }
            #expect(try await before.value == 1)
            close(open(file, O_CREAT | O_WRONLY, 0o600))
            #expect(isIntended(await failure { try await leaving.value }))
            for ref in behind { #expect(isIntended(await failure { _ = try await ref.value })) }
            #expect(Attempts.count(in: starts) == 1)
        }
    }

    @Test func `EXT-03: an exit outside of actors is refused, and the caller lives`() async throws {
        let error = await failure { try await ActorContext.exit() }
        #expect(error?.code == .invalidArgument)
        let detached = await Task.detached { await failure { try await ActorContext.exit() } }.value
        #expect(detached?.code == .invalidArgument)
    }

    @Test(arguments: kinds)
    func `EXT-06: an actor that exits in its constructor is dead and not started again`(
        options: ActorOptions
    ) async throws {
        let scratch = ScratchDirectory()
        let setup = Leaver.Setup(starts: scratch.file("starts"), atStart: true)
        try await ActorRuntime.withRuntime { runtime in
            let leaver = try await runtime.spawn(Leaver.self, setup, options: options)
            let error = await failure { _ = try await leaver.add(1) }
            #expect(isIntended(error), "\(String(describing: error))")
            #expect(try await runtime.actors().isEmpty)
            #expect(Attempts.count(in: setup.starts) == 1)
        }
    }

    @Test func `EXT-13: the ledger has the intended exit, without a restart, and no dead letter`() async throws {
        let scratch = ScratchDirectory()
        let runtime = try await ActorRuntime.start(directory: scratch.file("data"))
        let setup = Leaver.Setup(starts: scratch.file("starts"))
        let leaver = try await runtime.spawn(Leaver.self, setup, options: .resilient)
        let note = scratch.file("note")
        #expect(isIntended(await failure { _ = try await leaver.leave(begun: note, behind: note) }))
        await runtime.shutdown()
        let store = try RegistryStore(RuntimeLayout(directory: scratch.file("data")), readOnly: true)
        let entries = try store.ledger(newest: 10)
        store.close()
        #expect(entries.map(\.cause) == [.intendedExit])
        #expect(entries.map(\.isRestarted) == [false])
        #expect(entries.first?.actor == leaver.id)
        #expect(
            RuntimeDirectory.entries(of: scratch.file("data/shards")) == [],
            "no dead letter, and nothing else of it"
        )
    }

    @Test func `EXT-13: exits of one of a group leave no dead letter, however often they are called again`()
        async throws
    {
        let scratch = ScratchDirectory()
        let (note, setup) = (scratch.file("note"), Leaver.Setup(starts: scratch.file("starts")))
        try await ActorRuntime.withRuntime(directory: scratch.file("data")) { runtime in
            let options = ActorOptions.resilient.shared("group")
            let stays = try await runtime.spawn(Leaver.self, setup, options: options)
            for _ in 1...4 {
                let leaver = try await runtime.spawn(Leaver.self, setup, options: options)
                #expect(try await leaver.add(1) == 1)
                #expect(isIntended(await failure { _ = try await leaver.leave(begun: note, behind: note) }))
                #expect(isIntended(await failure { _ = try await leaver.leave(begun: note, behind: note) }))
            }
            #expect(try await stays.add(1) == 1)
            let stored = try ShardReader.read(ShardLayout.directory(of: 1, in: scratch.file("data"))).actors
            #expect(stored.map(\.id) == [stays.id])
            #expect(stored.flatMap(\.deadLetters) == [])
            #expect(Attempts.count(in: note) == 4)
        }
    }

    @Test(arguments: [ActorOptions.resilient, .resilient.shared("group")])
    func `EXT-14: what the exiting call changed goes with the actor; made anew under its name it starts from nothing`(
        options: ActorOptions
    ) async throws {
        let scratch = ScratchDirectory()
        let (note, setup) = (scratch.file("note"), Leaver.Setup(starts: scratch.file("starts")))
        try await ActorRuntime.withRuntime(directory: scratch.file("data")) { runtime in
            let leaver = try await runtime.getOrCreate(Leaver.self, name: "leaver", setup, options: options)
            #expect(try await leaver.add(5) == 5)
            #expect(isIntended(await failure { _ = try await leaver.leave(begun: note, behind: note) }))
            #expect(await failure { _ = try await runtime.getActor(Leaver.self, name: "leaver") }?.code == .notFound)
            let next = try await runtime.getOrCreate(Leaver.self, name: "leaver", setup, options: options)
            #expect(next.id != leaver.id)
            #expect(try await next.add(1) == 1)
            try await runtime.kill(next)
        }
        #expect(RuntimeDirectory.entries(of: scratch.file("data/shards")) == [])
    }

    @Test func `EXT-01: of a group, the one that exits ends alone, however many do`() async throws {
        let scratch = ScratchDirectory()
        let (note, setup) = (scratch.file("note"), Leaver.Setup(starts: scratch.file("starts")))
        let options = ActorOptions.resilient.shared("group")
        try await ActorRuntime.withRuntime { runtime in
            let stays = try await runtime.spawn(Leaver.self, setup, options: options)
            let process = try await stays.processID()
            for number in 1...70 {
                let leaver = try await runtime.spawn(Leaver.self, setup, options: options)
                #expect(isIntended(await failure { _ = try await leaver.leave(begun: note, behind: note) }))
                #expect(try await stays.add(1) == number)
            }
            #expect(try await stays.processID() == process)
            #expect(try await runtime.actors().map(\.id) == [stays.id])
        }
    }

    @Test(arguments: kinds)
    func `an exit that the supervisor refuses throws, and the actor lives on`(options: ActorOptions) async throws {
        let scratch = ScratchDirectory()
        let (file, setup) = (scratch.file("file"), Leaver.Setup(starts: scratch.file("starts")))
        close(open(file, O_CREAT | O_WRONLY, 0o600))
        var configuration = RuntimeConfiguration()
        configuration.faults = [FaultSpecification(.supervisorBeforeExit, action: .skip)]
        try await ActorRuntime.withRuntime(configuration: configuration) { runtime in
            let leaver = try await runtime.spawn(Leaver.self, setup, options: options)
            try await leaver.with(.timeout(.seconds(10))) { try await $0.leave(after: file) }
            #expect(try await leaver.add(1) == 0, "it went on behind the exit")
            #expect(isIntended(await failure { try await leaver.leave(after: file) }))
            #expect(Attempts.count(in: setup.starts) == 1)
        }
    }

    @Test func `EXT-02: an exit without a supervisor takes place when there is one again`() async throws {
        let scratch = ScratchDirectory()
        let (file, setup) = (scratch.file("file"), Leaver.Setup(starts: scratch.file("starts")))
        try await ActorRuntime.withRuntime { runtime in
            let leaver = try await runtime.spawn(Leaver.self, setup, options: .resilient)
            #expect(try await leaver.add(1) == 1)
            let leaving = leaver.submit { try await $0.leave(after: file) }
            // The registry has the worker when it has what was created later.
            _ = try await runtime.spawn(Mirrored.self)
            kill(try #require(runtime.supervisorProcessID), SIGKILL)
            close(open(file, O_CREAT | O_WRONLY, 0o600))
            #expect(isIntended(await failure { try await leaving.value }))
            #expect(Attempts.count(in: setup.starts) == 1)
        }
    }
}
