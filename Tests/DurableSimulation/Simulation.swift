import DurableCore

/// What one history has shown.
package struct SimulationReport: Sendable {
    package var seed: UInt64
    /// The checksum of everything that happened.
    package var checksum: UInt64
    /// How much happened.
    package var events: Int
    package var calls: Int
    package var acknowledged: Int
    package var faults: [Fault: Int]
    /// A sentence for each promise that did not hold.
    package var violations: [String]
    /// The last of what happened.
    package var trace: [Trace.Line]
}

/// Histories of a whole runtime, each determined by its seed.
package enum Simulation {
    /// How long calls may take to settle once nothing goes wrong any more: longer than every delay of a restart.
    private static let patience: UInt64 = 400_000_000

    /// Runs the history of a seed.
    /// - Parameter lines: How many of the last lines of its trace are kept.
    package static func run(seed: UInt64, keeping lines: Int = 0) -> SimulationReport {
        let world = World(seed: seed, keeping: lines)
        world.begin()
        world.run(until: 60_000_000) { world.callsLeft == 0 }
        // What was begun last is to meet faults as well.
        let overlap = world.now + world.random.number(0...100_000)
        world.run(until: overlap) { false }
        world.heal()
        world.run(until: world.now + patience) { world.isSettled }
        if world.oracle.violations.isEmpty { world.check() }
        world.isOver = true
        let forgotten = world.shards.values.reduce(0) { $0 + $1.forgottenCount }
        if forgotten > 0 { world.bites(.forgotten, times: forgotten) }
        defer { world.dismantle() }
        return SimulationReport(
            seed: seed,
            checksum: world.trace.checksum,
            events: world.trace.count,
            calls: world.oracle.settledCount,
            acknowledged: world.oracle.acknowledged,
            faults: world.bitten,
            violations: world.oracle.violations,
            trace: world.trace.lines
        )
    }
}

extension World {
    /// Whether nobody waits for anything.
    var isSettled: Bool {
        requests.isEmpty && drivers.allSatisfy { driver in driver.channels.allSatisfy { $0.pendingCount == 0 } }
    }

    /// What must hold at the end.
    func check() {
        for driver in drivers {
            for channel in driver.channels where channel.pendingCount > 0 {
                oracle.violated("calls do not settle: \(channel.description)")
            }
        }
        if !requests.isEmpty { oracle.violated("\(requests.count) requests are not answered") }
        for id in toldOf.sorted() where oracle.ends[id] == nil && disk.records[id] == nil {
            oracle.violated("actor \(id.low) has not ended, and is not stored any more")
        }
        for shard in shards.values.sorted(by: { $0.number < $1.number }) {
            if shard.count != oracle.count(of: shard.actor) {
                oracle.violated("shard \(shard.number) has lost changes")
            }
        }
        oracle.checkCrashes()
        oracle.checkRestarts()
    }

    func makeWorker(
        for shard: ShardNumber,
        _ actor: ActorID,
        _ incarnation: Incarnation,
        _ socket: Int,
        _ orders: [DeadLetterOrder]
    ) -> SimulatedWorker {
        let plan = scenario.plans[plansByActor[actor] ?? 0]
        let rows = shards[shard] ?? SimulatedShard(shard, of: actor, isSerial: plan.lanes == [1], oracle)
        if rows.actor != actor { oracle.violated("shard \(shard) is given to a second actor") }
        shards[shard] = rows
        workersMade += 1
        let worker = SimulatedWorker(
            workersMade,
            for: rows,
            incarnation,
            socket: socket,
            plan,
            orders: orders,
            in: self
        )
        workers.append(worker)
        return worker
    }

    /// A worker that was given up ends at last.
    func endLater(_ worker: SimulatedWorker) {
        after(random.number(100_000...20_000_000)) { [self] in end(worker, .signal(number: 9)) }
    }
}
