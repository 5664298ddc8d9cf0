internal import DurableActors
internal import DurableChaos

/// One run of the demonstration on a runtime that was started for it.
struct DemoRun: Sendable {
    /// What the user decides.
    struct Settings: Sendable {
        var actors: Int
        var callers: Int
        var kills: Int
        var durability: Durability
        var seed: UInt64
        /// Whether the directory goes with the run.
        var isTemporary: Bool
    }

    /// Fewer calls than this between two kills would leave little to lose.
    static let callsPerKill = 200

    let settings: Settings
    let text: RecordText
    let runtime: ActorRuntime
    let showsProgress: Bool
    let feed: Feed
    let plan: KillPlan
    let tally = Tally()

    init(_ settings: Settings, _ text: RecordText, _ runtime: ActorRuntime, showsProgress: Bool) {
        self.settings = settings
        self.text = text
        self.runtime = runtime
        self.showsProgress = showsProgress
        let records = text.records.count
        let passes = max(1, (settings.kills * Self.callsPerKill + records - 1) / records)
        feed = Feed(records: records, passes: passes, goesOn: settings.kills > 0)
        plan = KillPlan(seed: settings.seed, kills: settings.kills, calls: passes * records)
    }

    /// Feeds, kills, and compares.
    func run() async throws -> DemoReport {
        let ledgers = try await spawnLedgers()
        let start = ContinuousClock.now
        let progress = showsProgress ? Progress(self, since: start) : nil
        let display = progress.map { progress in Task { await progress.show() } }
        // Shown by a task of its own, which this function ends in any case.
        defer { display?.cancel() }
        do {
            try await work(ledgers)
        } catch {
            display?.cancel()
            await display?.value
            throw error
        }
        let elapsed = ContinuousClock.now - start
        display?.cancel()
        await display?.value
        var actual: [Totals] = []
        for ledger in ledgers { actual.append(try await ledger.totals()) }
        let living = Set(ledgers.map(\.id))
        let restarts = try await runtime.actors().filter { living.contains($0.id) }.reduce(0) { $0 + $1.restarts }
        return DemoReport(
            settings: settings,
            directory: runtime.directory,
            records: text.records.count,
            passes: feed.passes,
            acknowledged: feed.acknowledged,
            elapsed: elapsed,
            restarts: restarts,
            tally: tally.snapshot,
            comparison: Comparison(
                expected: text.expected(ledgers: settings.actors, passes: feed.passes),
                actual: actual
            )
        )
    }

    private func spawnLedgers() async throws -> [Ledger] {
        var ledgers: [Ledger] = []
        for number in 1...settings.actors {
            var options = ActorOptions.resilient
            options.durability = settings.durability
            options.name = "ledger-\(number)"
            options.namespace = Departure.namespace
            ledgers.append(try await runtime.spawn(Ledger.self, options: options))
        }
        // The run begins when all of them live.
        for ledger in ledgers { _ = try await ledger.ping() }
        return ledgers
    }

    private func work(_ ledgers: [Ledger]) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<settings.callers {
                group.addTask { try await call(ledgers) }
            }
            group.addTask { try await kill(ledgers) }
            do {
                try await group.waitForAll()
            } catch {
                // The others would go on until the text is at its end.
                feed.stop()
                throw error
            }
        }
    }

    private func call(_ ledgers: [Ledger]) async throws {
        while let place = feed.next() {
            let record = text.records[place]
            _ = try await ledgers[record.ledger].add(record.text)
            feed.acknowledge()
        }
    }

    private func kill(_ ledgers: [Ledger]) async throws {
        defer { feed.finish() }
        var killer = ProcessKiller(runtime, seed: settings.seed)
        let byID = Dictionary(uniqueKeysWithValues: ledgers.map { ($0.id, $0) })
        try await withThrowingTaskGroup(of: Void.self) { group in
            var isSupervisorAway = false
            for kill in plan.kills {
                await feed.wait(untilAcknowledged: kill.acknowledgedCalls)
                // One wound heals before the next, but a worker may die while there is no supervisor.
                if !isSupervisorAway || kill.target == .supervisor { try await group.waitForAll() }
                guard let strike = try await strike(&killer, kill.target) else { return }
                tally.struck(strike.target)
                isSupervisorAway = strike.target == .supervisor
                let ledger = strike.actor.flatMap { byID[$0] }
                group.addTask { try await recover(from: strike, ledger) }
            }
            try await group.waitForAll()
        }
    }

    /// Kills a process of this kind as soon as one lives; `nil` when the run was stopped meanwhile.
    private func strike(_ killer: inout ProcessKiller, _ target: KillPlan.Target) async throws -> ProcessKiller.Strike?
    {
        let deadline = ContinuousClock.now + .seconds(60)
        while !feed.isStopped {
            if let strike = try await killer.strike(target) { return strike }
            guard ContinuousClock.now < deadline else {
                throw Failure("no living \(target.rawValue) was found for a minute (seed \(settings.seed))")
            }
            try await Task.sleep(for: .milliseconds(1))
        }
        return nil
    }

    /// Measures how long a kill was felt: until the first reply to a call that was made after it.
    private func recover(from strike: ProcessKiller.Strike, _ ledger: Ledger?) async throws {
        switch strike.target {
        case .worker:
            guard let ledger else { return }
            // What the dying process may still have answered does not count.
            while try await ledger.ping() == strike.processID {}
        case .supervisor:
            _ = try await runtime.actors()
        }
        tally.recovered(strike.target, ContinuousClock.now - strike.instant)
    }
}
