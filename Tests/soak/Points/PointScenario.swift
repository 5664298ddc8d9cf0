import DurableActors
import DurableCore
import DurableProcess
import DurableSupervisor
import Glibc

/// What a runtime is made to do while something happens at a point. Together they pass every point.
enum PointScenario: String, CaseIterable, Sendable, Codable {
    /// Calls to two actors, one of each durability, and from one to the other.
    case calls
    /// Snapshots, sweeps, restarts, a group, ends, another supervisor.
    case life
    /// A dead letter, and records that expire.
    case records
    /// The driver leaves and the supervisor dies, so that workers end themselves; then a driver comes back.
    case absence

    /// The actors whose accounts are checked.
    static let names = ["ada", "bob"]

    var configuration: RuntimeConfiguration {
        var configuration = RuntimeConfiguration()
        configuration.log = { _ in }
        switch self {
        case .calls: break
        case .life: configuration.snapshotInterval = .milliseconds(10)
        case .records: configuration.sessionLease = .seconds(4)
        case .absence: configuration.gracePeriod = .milliseconds(50)
        }
        return configuration
    }

    static func options(_ delivery: Delivery, _ durability: Durability = .disk) -> ActorOptions {
        var options = delivery == .retried ? ActorOptions.resilient : ActorOptions(maxRestarts: .unlimited)
        options.durability = durability
        return options
    }

    func run(_ runtime: ActorRuntime, _ delivery: Delivery, _ log: CallLog, _ tally: FaultTally) async throws {
        var own = Self.options(delivery)
        if self == .records { own.maxCallCrashes = 1 }
        let ada = try await runtime.getOrCreate(Teller.self, name: "ada", options: own)
        let bob = try await runtime.getOrCreate(Teller.self, name: "bob", options: Self.options(delivery, .process))
        try await log.call("a1", of: "ada") { try await ada.apply("a1") }
        try await log.call("f1", of: "ada", "bob") { try await ada.forward("f1", to: bob) }
        switch self {
        case .calls, .absence: break
        case .life: try await live(runtime, ada, bob, delivery, log)
        case .records: try await bury(ada, log, tally)
        }
    }

    /// What follows in each scenario, in the same runtime or in the next.
    func finish(_ runtime: ActorRuntime, _ log: CallLog) async throws {
        let ada = try await runtime.getActor(Teller.self, name: "ada")
        let bob = try await runtime.getActor(Teller.self, name: "bob")
        try await log.call("f2", of: "ada", "bob") { try await ada.forward("f2", to: bob) }
        try await log.call("b1", of: "bob") { try await bob.apply("b1") }
    }

    private func live(
        _ runtime: ActorRuntime,
        _ ada: Teller,
        _ bob: Teller,
        _ delivery: Delivery,
        _ log: CallLog
    ) async throws {
        try await log.ensure { _ = try await bob.draft(5) }
        try await log.ensure { try await bob.discard() }
        while !Self.hasSnapshot(runtime.directory) { try await Task.sleep(for: .milliseconds(2)) }
        try await runtime.kill(bob, noRestart: false)
        try await log.call("b2", of: "bob") { try await bob.apply("b2") }
        // There is none right now when the trial has just killed it.
        if let supervisor = runtime.supervisorProcessID { kill(supervisor, SIGKILL) }
        let options = Self.options(delivery).shared("shelf")
        let members = try await [
            runtime.spawn(Teller.self, options: options), runtime.spawn(Teller.self, options: options),
        ]
        for member in members { try await log.ensure { _ = try await member.apply("m") } }
        try await runtime.kill(members[0])
        try await log.ensure { _ = try await members[1].apply("m") }
        let guest = try await runtime.getOrCreate(Teller.self, name: "guest", options: Self.options(delivery))
        try await log.ensure { _ = try await guest.apply("g") }
        // Whether the caller hears of the end is not promised; with retries, that it comes is.
        try? await guest.leave()
        let other = try await runtime.getOrCreate(Teller.self, name: "other", options: Self.options(delivery))
        try await log.ensure { _ = try await other.apply("o") }
        try await runtime.kill(other)
    }

    private func bury(_ ada: Teller, _ log: CallLog, _ tally: FaultTally) async throws {
        do {
            // Asked for with retries in any case: a call that runs once is not given up but over.
            try await ada.with(.maxTaskRetries(.unlimited)) { try await $0.crash() }
            throw ActorError(.internalError, "a call that crashes its worker was answered")
        } catch let error as ActorError where error.code == .poisonCall {}
        try await log.call("a2", of: "ada") { try await ada.apply("a2") }
        // The records of these calls are needed no more when the lease is over.
        while tally.passages[.workerAfterExpiry] == nil { try await Task.sleep(for: .milliseconds(5)) }
    }

    /// Whether some shard has its first snapshot.
    private static func hasSnapshot(_ directory: String) -> Bool {
        let shards = "\(directory)/shards"
        return RuntimeDirectory.entries(of: shards).contains { shard in
            !RuntimeDirectory.entries(of: "\(shards)/\(shard)/snapshots").isEmpty
        }
    }
}
