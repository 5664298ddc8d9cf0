import DurableActors

/// What is called in a storm: an account, a counter, and a handful of registers. It keeps of each caller only how far it is.
distributed actor StormActor: DurableActor {
    @Checkpointed var balance = 0
    /// How many changes there have been, calls from other actors included.
    @Checkpointed var version = 0
    @Checkpointed var streams: CheckpointedDictionary<String, Int> = [:]
    /// Calls that came twice, or not in their order. None may.
    @Checkpointed var strays: [String] = []
    @Checkpointed var registers: CheckpointedDictionary<Int, Int> = [:]

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
    }

    /// A caller's next call.
    distributed func note(_ stream: String, _ number: Int) -> Seen {
        count(stream, number)
        return seen
    }

    /// Moves an amount to another account; both note it.
    distributed func transfer(_ amount: Int, _ stream: String, _ number: Int, to other: StormActor) async throws -> Seen
    {
        count(stream, number)
        balance -= amount
        let own = seen
        _ = try await other.receive(amount, ">\(stream)", number)
        return own
    }

    distributed func receive(_ amount: Int, _ stream: String, _ number: Int) -> Seen {
        count(stream, number)
        balance += amount
        return seen
    }

    distributed func look() -> Seen { seen }

    /// Does something with a register, and says what it holds then.
    distributed func register(_ key: Int, _ operation: RegisterModel.Operation) -> Int {
        var model = RegisterModel(value: registers[key] ?? 0)
        let reply = model.apply(operation)
        if model.value != registers[key] ?? 0 { registers[key] = model.value }
        return reply
    }

    distributed func forget(_ key: Int) { registers[key] = nil }

    distributed func account() -> Account {
        Account(
            balance: balance,
            version: version,
            streams: Dictionary(uniqueKeysWithValues: streams.map { ($0.key, $0.value) }),
            strays: strays
        )
    }

    private func count(_ stream: String, _ number: Int) {
        let last = streams[stream] ?? 0
        if number == last + 1 {
            streams[stream] = number
        } else if strays.count < 20 {
            strays.append("\(stream) \(number) after \(last)")
        }
        version += 1
    }

    private var seen: Seen { Seen(life: ActorContext.current?.incarnation ?? 0, version: version) }

    /// What a call saw: which life it ran in, and how many changes there had been.
    struct Seen: Codable, Sendable, Hashable {
        var life: UInt64
        var version: Int
    }

    /// All that it knows.
    struct Account: Codable, Sendable, Hashable {
        var balance: Int
        var version: Int
        var streams: [String: Int]
        var strays: [String]
    }
}

/// The actors of a storm, by number.
enum StormCast {
    /// Accounts; each transfers to the next.
    static let banks = 0..<4
    static let names = ["bank-0", "bank-1", "bank-2", "bank-3", "count-4", "count-5", "queue-6", "register-7"]
    /// The one that only samples are made of.
    static let register = 7

    static func options(_ number: Int) -> ActorOptions {
        var options = ActorOptions.resilient
        if number == 1 || number > 4 { options.durability = .process }
        switch number {
        case 2, 3: return options.shared("bank")
        case 6, 7: return options.shared("desk")
        default:
            // Kills that come close together are not to make anybody wait for long.
            options.restartBackOff = RestartBackOff(initial: .milliseconds(5), limit: .milliseconds(50))
            return options
        }
    }

    static func all(_ runtime: ActorRuntime) async throws -> [StormActor] {
        var actors: [StormActor] = []
        for (number, name) in names.enumerated() {
            actors.append(try await runtime.getOrCreate(StormActor.self, name: name, options: options(number)))
        }
        return actors
    }
}
