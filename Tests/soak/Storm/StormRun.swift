import DurableActors
import DurableChaos
import DurableProcess
import Glibc
import Synchronization

/// One storm, from the first call to the last look.
struct StormRun {
    private static let clients = 8
    private static let drivers = 2
    /// Kills of a cycle; a third of its time without any follows.
    private static let killsPerCycle = 30
    /// How long it may take until the next call is acknowledged.
    private static let progressMax = Duration.seconds(30)

    let folder: KillFolder
    let kills: Int
    let callsPerKill: Int
    let seed: UInt64
    var result: LaneResult
    private let witness = StormWitness()
    private let wish = StormWish()
    private var watch = SupervisorWatch()
    private var progress: Progress

    init(folder: KillFolder, kills: Int, callsPerKill: Int, seed: UInt64) {
        self.folder = folder
        self.kills = kills
        self.callsPerKill = callsPerKill
        self.seed = seed
        progress = Progress("kills", of: kills)
        result = LaneResult(lane: "storm", unit: "kills", wanted: kills, seed: seed)
    }

    mutating func perform() async throws {
        var configuration = RuntimeConfiguration()
        configuration.log = { _ in }
        configuration.warmSpares = 3
        let runtime = try await ActorRuntime.start(directory: folder.data, configuration: configuration)
        let actors = try await StormCast.all(runtime)
        let drivers = StormDrivers(folder, actors, seed: seed)
        do {
            for actor in actors { _ = try await actor.look() }
            try await drivers.start(Self.drivers)
            try await perform(runtime, actors, drivers)
        } catch {
            // Nobody outlives a storm that went wrong.
            wish.value = .stop
            await drivers.killAll()
            try await folder.leave(runtime)
            throw error
        }
    }

    private mutating func perform(
        _ runtime: ActorRuntime,
        _ actors: [StormActor],
        _ drivers: StormDrivers
    ) async throws {
        // Owned by this function, which waits for it.
        let callers = Task { [witness, wish, seed] in
            await Self.call(actors, witness, wish, seed: seed)
        }
        var nemesis = StormNemesis(folder, drivers, seed: seed)
        do {
            try await rage(&nemesis, runtime, drivers)
        } catch {
            result.violations.append("\(error)")
        }
        wish.value = .stop
        await heal()
        try await finish(runtime, drivers, callers)
        result.trials = nemesis.kills
        for target in StormNemesis.Target.allCases { result.faults[target.rawValue] = nemesis.strikes[target] ?? 0 }
        result.faults["processes killed"] = nemesis.processesKilled
        result.violations += await UnmarkedDeaths(directory: folder.data).all(besides: nemesis.marks)
        result.violations += witness.violations + watch.violations
        result.seconds = progress.seconds
    }

    private static func call(
        _ actors: [StormActor],
        _ witness: StormWitness,
        _ wish: StormWish,
        seed: UInt64
    ) async -> Int {
        await withTaskGroup(of: Int.self) { group in
            for number in 0..<clients {
                group.addTask {
                    let client = StormClient(name: "m\(number)", actors: actors, witness: witness)
                    await client.run(seed: seed &+ UInt64(number)) { wish.value }
                    return 0
                }
            }
            group.addTask {
                let sampler = StormSampler(actor: actors[StormCast.register], witness: witness)
                return await sampler.run(seed: seed) { wish.value }
            }
            return await group.reduce(0, +)
        }
    }

    /// Strikes in bursts; callers rest now and then, and every cycle ends with a time without faults.
    private mutating func rage(_ nemesis: inout StormNemesis, _ runtime: ActorRuntime, _ drivers: StormDrivers)
        async throws
    {
        while nemesis.kills < kills {
            let (begun, start) = (nemesis.kills, ContinuousClock.now)
            // In the last third nobody touches the supervisor, so that one can see whether it grows.
            let spares = nemesis.kills * 3 > kills * 2
            while nemesis.kills < min(kills, begun + Self.killsPerCycle) {
                if Int.random(in: 0..<20, using: &nemesis.generator) == 0 {
                    wish.value = .rest
                    await drivers.tell(1)
                    try await Task.sleep(for: .milliseconds(20))
                }
                for _ in 0..<Int.random(in: 1...5, using: &nemesis.generator) where nemesis.kills < kills {
                    try await nemesis.strike(sparingSupervisor: spares)
                }
                wish.value = .work
                await drivers.tell(0)
                try await Task.sleep(for: .milliseconds(Int.random(in: 1...60, using: &nemesis.generator)))
                try await waitForCalls((nemesis.kills - 5) * callsPerKill, drivers)
                if spares { watch.look(at: runtime.supervisorProcessID) }
                progress.show(nemesis.kills, "\(await acknowledged(drivers)) calls acknowledged")
            }
            try await Task.sleep(for: (ContinuousClock.now - start) / 3)
            result.violations += await UnmarkedDeaths(directory: folder.data).all(besides: nemesis.marks)
        }
        progress.show(kills)
        StandardError.write("\(watch.conclude())\n")
    }

    private func acknowledged(_ drivers: StormDrivers) async -> Int {
        witness.acknowledged + (await drivers.acknowledgedSoFar)
    }

    /// Waits until so many calls were acknowledged.
    /// - Throws: When nothing goes on.
    private func waitForCalls(_ wanted: Int, _ drivers: StormDrivers) async throws {
        var last = await acknowledged(drivers)
        var since = ContinuousClock.now
        while last < wanted {
            try await Task.sleep(for: .milliseconds(1))
            let now = await acknowledged(drivers)
            if now > last { (last, since) = (now, .now) }
            guard ContinuousClock.now - since < Self.progressMax else {
                throw ActorError(.internalError, "no call was acknowledged for \(Self.progressMax)")
            }
        }
    }

    /// Who stands still goes on.
    private func heal() async {
        try? await Task.sleep(for: .milliseconds(200))
        for process in folder.processes() { process.signal(SIGCONT) }
    }

    /// Everybody ends what they do; then fresh eyes look.
    private mutating func finish(_ runtime: ActorRuntime, _ drivers: StormDrivers, _ callers: Task<Int, Never>)
        async throws
    {
        // Calls that never come back would keep the storm for ever.
        let alarm = Task { [witness] in
            try await Task.sleep(for: .seconds(60))
            witness.violate("calls are open a minute after the last fault")
            await runtime.shutdown()
        }
        try await drivers.finish()
        result.faults["histories searched"] = await callers.value
        alarm.cancel()
        let (own, answered) = witness.totals
        var expected = await drivers.expected
        for (stream, made) in own {
            for (actor, count) in made.enumerated() where count > 0 {
                let acknowledged = answered[stream]?[actor] ?? 0
                expected.append(StormExpectation(actor, stream, made: count, acknowledged: acknowledged))
                guard stream.hasPrefix("t") else { continue }
                expected.append(StormExpectation(actor + 1, ">\(stream)", made: count, acknowledged: acknowledged))
            }
        }
        result.calls = witness.issued + (await drivers.issued)
        result.acknowledged = await acknowledged(drivers)
        result.violations += await drivers.violations
        let zombies = ProcessTable.ended(childrenOf: [getpid(), runtime.supervisorProcessID ?? 0])
        if !zombies.isEmpty { result.violations.append("ended processes that nobody has reaped: \(zombies)") }
        let first = try await StormReckoning(runtime)
        result.violations += first.violations(expected)
        let text = try FreshProcess.output(["read-storm", folder.data])
        if text != first.text { result.violations.append("a fresh process reads \(text) instead of \(first.text)") }
        try await folder.leave(runtime)
        try await end(first.text)
    }

    /// After the end of all processes at once a fresh runtime has the same; and when it ends, nobody is left.
    private mutating func end(_ text: String) async throws {
        let fresh = try await ActorRuntime.start(directory: folder.data)
        do {
            let again = try await StormReckoning(fresh).text
            if again != text { result.violations.append("a fresh runtime reads \(again) instead of \(text)") }
            for actor in try await fresh.actors() { try await fresh.kill(actor.id) }
        } catch {
            await fresh.shutdown()
            throw error
        }
        await fresh.shutdown()
        for process in try await folder.remaining() { result.violations.append("process \(process.pid) is left") }
    }
}

/// What all callers are to do.
final class StormWish: Sendable {
    private let state = Mutex(StormClient.Wish.work)

    var value: StormClient.Wish {
        get { state.withLock { $0 } }
        set { state.withLock { $0 = newValue } }
    }
}

extension ProcessTable {
    /// Processes that have ended and wait for their parent, if that is one of these.
    static func ended(childrenOf parents: Set<Int32>) -> [Int32] {
        // A supervisor looks once a second for what it has inherited; only what is still there at the second look is
        // forgotten.
        let first = Set(endedNow(parents))
        guard !first.isEmpty else { return [] }
        usleep(2_500_000)
        return first.intersection(endedNow(parents)).sorted()
    }

    private static func endedNow(_ parents: Set<Int32>) -> [Int32] {
        all().filter { pid in
            guard let fields = fields(pid), fields.count > 1, fields[0] == "Z" else { return false }
            return Int32(fields[1]).map(parents.contains) == true
        }
    }
}
