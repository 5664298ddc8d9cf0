internal import DurableActors
internal import DurableChaos

/// Actors, clients that call them, and what must hold afterwards, whatever was killed.
protocol ChaosScenario: Sendable {
    /// Starts the actors; returns when all of them answer.
    /// - Returns: How to ask each, by its name, for the process that it lives in.
    func prepare(_ runtime: ActorRuntime) async throws -> ChaosProbes

    /// What one of the clients does until the traffic is over.
    func work(_ client: Int, _ traffic: ChaosTraffic, _ generator: SeededGenerator) async

    /// Looks at everything, when all is quiet.
    func check() async throws -> ChaosFindings
}

/// How to ask actors, by their names, for the processes that they live in.
typealias ChaosProbes = [String: @Sendable () async throws -> Int32]

/// What a scenario is made with.
struct ChaosScale: Sendable, Hashable {
    var actors: Int
    var clients: Int
    var durability: Durability

    /// Options of an actor of the tool: it comes back, and so do calls.
    func options(_ name: String) -> ActorOptions {
        var options = ActorOptions.resilient
        options.durability = durability
        options.name = name
        options.namespace = Departure.namespace
        // A signal from outside must not give a call up as poison.
        options.maxCallCrashes = .unlimited
        return options
    }
}

/// Something that was promised, and whether it held.
struct ChaosCheck: Sendable {
    /// What came of it.
    enum Verdict: Sendable, Hashable {
        case held
        case broken([ChaosComparison.Difference])
        /// Neither shown to hold nor to be broken.
        case undecided(String)
    }

    var promise: String
    /// On how much it was checked.
    var extent: String
    var verdict: Verdict

    init(_ promise: String, _ extent: String, _ verdict: Verdict) {
        self.promise = promise
        self.extent = extent
        self.verdict = verdict
    }

    /// A promise that is broken by each difference.
    init(_ promise: String, _ extent: String, _ differences: [ChaosComparison.Difference]) {
        self.init(promise, extent, differences.isEmpty ? .held : .broken(differences))
    }

    var isHeld: Bool { verdict == .held }

    /// What is wrong; empty when nothing is.
    var differences: [ChaosComparison.Difference] {
        switch verdict {
        case .held: []
        case .broken(let differences): differences
        case .undecided(let reason): [.init(reason, nil)]
        }
    }

    var word: String {
        switch verdict {
        case .held: "holds"
        case .broken: "BROKEN"
        case .undecided: "UNDECIDED"
        }
    }
}

/// What a scenario saw in the end.
struct ChaosFindings: Sendable {
    var checks: [ChaosCheck]
    /// Acknowledged things that are not there.
    var lost: Int
    /// Things that are there too often.
    var doubled: Int
}

/// The scenarios by their names.
enum ChaosScenarioName: String, CaseIterable {
    case ledger
    case bank
    case queue
    case counter
    case forgetful

    /// What is promised, for people.
    var promise: String {
        switch self {
        case .ledger: "every acknowledged entry is there exactly once, each client's in its order"
        case .bank: "the total is conserved, and each transfer is on both accounts exactly once"
        case .queue: "no item is lost, none is done twice, each producer's come in its order"
        case .counter: "the values are the sums of what was acknowledged, and linearizable"
        case .forgetful: "as counter, but its values are not checkpointed: to see a promise broken"
        }
    }

    func scenario(_ scale: ChaosScale, seed: UInt64) -> any ChaosScenario {
        switch self {
        case .ledger: LedgerScenario(scale)
        case .bank: BankScenario(scale)
        case .queue: QueueScenario(scale)
        case .counter: CounterScenario(scale, seed: seed)
        case .forgetful: CounterScenario(scale, seed: seed, isForgetful: true)
        }
    }
}

extension Int {
    /// So many of a thing, for people.
    func of(_ thing: String) -> String { "\(grouped) \(thing)\(self == 1 ? "" : "s")" }

    /// With commas between thousands, for people.
    var grouped: String {
        let digits = String(magnitude)
        var text = ""
        for (place, digit) in digits.enumerated() {
            if place > 0, (digits.count - place).isMultiple(of: 3) { text += "," }
            text.append(digit)
        }
        return self < 0 ? "-\(text)" : text
    }
}
