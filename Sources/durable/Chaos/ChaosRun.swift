internal import DurableActors
internal import DurableChaos

/// One run of a scenario under fire, on a runtime that was started for it.
struct ChaosRun: Sendable {
    /// How long what was hit may take to answer again once the fire is over, and what is checked to be read.
    private static let patience: Duration = .seconds(60)

    let settings: ChaosSettings
    let runtime: ActorRuntime
    let book: ChaosBook
    /// Becomes true when the user wants to see the end.
    let stop: ChaosStop

    /// What became of the promises.
    struct Outcome: Sendable {
        var page: ChaosBook.Page
        var checks: [ChaosCheck]
        var lost: Int?
        var doubled: Int?
    }

    /// Calls, kills and checks.
    func run(_ probes: ChaosProbes, _ scenario: any ChaosScenario) async throws -> Outcome {
        let traffic = ChaosTraffic(book)
        let (strikes, entered) = AsyncStream.makeStream(of: Strike.self)
        let log = ChaosLog { enter($0, probes, entered) }
        let hasHealed = try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await watch() }
            let healing = Task { await heal(strikes) }
            // A task of its own, because it goes on behind the fire; this function ends it in any case.
            defer { healing.cancel() }
            try await fire(log) { await work(scenario, traffic) }
            // What is read in the end is read from the disk, by processes that have seen nothing before.
            try await replaceEverybody(log)
            entered.finish()
            let hasHealed = try await within(Self.patience) { await healing.value } != nil
            group.cancelAll()
            return hasHealed
        }
        let page = book.page
        var outcome = Outcome(page: page, checks: [serving(page, hasHealed), deaths(log)])
        guard hasHealed else {
            await runtime.shutdown()
            return outcome
        }
        let findings = try await within(Self.patience) { try await scenario.check() }
        guard let findings else {
            await runtime.shutdown()
            outcome.checks.append(.init("everything can be read", "", .undecided("it took longer than a minute")))
            return outcome
        }
        outcome.checks = findings.checks + outcome.checks
        (outcome.lost, outcome.doubled) = (findings.lost, findings.doubled)
        return outcome
    }

    /// A strike that waits for its recovery.
    private struct Strike: Sendable {
        var number: Int
        var strike: ChaosBook.Strike
        var instant: ContinuousClock.Instant
        var probe: @Sendable () async throws -> Int32
    }

    private func fire(_ log: ChaosLog, _ body: () async throws -> Void) async throws {
        let faults = settings.kinds.faults(every: settings.period, for: settings.duration, seed: settings.seed)
        do {
            try await withChaos(
                runtime,
                ChaosSchedule(faults),
                budget: ChaosBudget(downMax: settings.downMax),
                log: log,
                body
            )
        } catch is UnplannedDeaths {
            // The log tells of them.
        }
    }

    private func work(_ scenario: any ChaosScenario, _ traffic: ChaosTraffic) async {
        await withTaskGroup(of: Void.self) { group in
            for client in 0..<settings.clients {
                let generator = SeededGenerator(seed: settings.seed &+ UInt64(client + 1) &* 0x9e37_79b9_7f4a_7c15)
                group.addTask { await scenario.work(client, traffic, generator) }
            }
            await stop.wait(for: settings.duration - book.elapsed)
            traffic.end()
        }
    }

    /// Enters what the fire did, and has the recovery of each victim measured.
    private func enter(
        _ entry: ChaosLog.Entry,
        _ probes: ChaosProbes,
        _ entered: AsyncStream<Strike>.Continuation
    ) {
        let (offset, instant) = (book.elapsed, ContinuousClock.now)
        let strikes = entry.victims.map { victim in
            ChaosBook.Strike(
                kind: entry.fault.kind,
                offset: offset,
                title: victim.title,
                processID: victim.processID,
                lasting: entry.fault.lasting
            )
        }
        for (number, strike) in zip(book.enter(entry.fault.kind, strikes), strikes) {
            let runtime = runtime
            let ask: @Sendable () async throws -> Int32 = {
                _ = try await runtime.actors()
                return 0
            }
            guard let probe = strike.isSupervisor ? ask : probes[strike.title] else { continue }
            entered.yield(Strike(number: number, strike: strike, instant: instant, probe: probe))
        }
    }

    private func heal(_ strikes: AsyncStream<Strike>) async {
        await withTaskGroup(of: Void.self) { group in
            for await strike in strikes {
                group.addTask { await heal(strike) }
            }
        }
    }

    /// Asks until the answer is not the dying process's.
    private func heal(_ strike: Strike) async {
        while !Task.isCancelled {
            do {
                let process = try await strike.probe()
                guard strike.strike.kind.endsProcesses, process == strike.strike.processID else { break }
            } catch {
                // What cannot be asked now is asked again, until the time for it is over.
                do { try await Task.sleep(for: .milliseconds(5)) } catch { return }
            }
        }
        if !Task.isCancelled { book.recovered(strike.number, after: .now - strike.instant) }
    }

    private func replaceEverybody(_ log: ChaosLog) async throws {
        let deadline = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < deadline {
            let before = log.faults.count
            let schedule = ChaosSchedule([ChaosFault(.killAll, at: .zero)])
            let entries = log.entries.count
            do {
                try await withChaos(runtime, schedule, log: log) {
                    while log.entries.count == entries, ContinuousClock.now < deadline {
                        try await Task.sleep(for: .milliseconds(2))
                    }
                }
            } catch is UnplannedDeaths {
                // The log tells of them.
            }
            if log.faults.count > before { return }
            // Something is still on its way up.
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// Keeps the processes known that the view shows.
    private func watch() async {
        while !Task.isCancelled {
            // While there is no supervisor to ask, what was known before is shown.
            if let actors = try? await runtime.actors() {
                let supervisor = ChaosBook.Process(
                    title: ChaosBook.Strike.supervisor,
                    processID: runtime.supervisorProcessID,
                    state: runtime.supervisorProcessID == nil ? "starting" : "alive"
                )
                let workers = actors.map {
                    ChaosBook.Process(title: $0.name ?? $0.type, processID: $0.processID, state: $0.state.rawValue)
                }
                book.show([supervisor] + workers)
            }
            do { try await Task.sleep(for: .milliseconds(200)) } catch { return }
        }
    }

    private func serving(_ page: ChaosBook.Page, _ hasHealed: Bool) -> ChaosCheck {
        let left = page.strikes.filter { $0.recovery == nil }.map {
            ChaosComparison.Difference(
                "\($0.title), process \($0.processID), does not answer since \($0.kind)",
                $0.offset
            )
        }
        let extent = page.strikes.count.of("hit")
        return ChaosCheck("whatever was hit answers again", extent, hasHealed ? [] : left)
    }

    private func deaths(_ log: ChaosLog) -> ChaosCheck {
        // The ledger is read after each fire: the same death can be told of twice.
        var seen: Set<String> = []
        let deaths = log.unplannedDeaths.filter { seen.insert($0).inserted }
        return ChaosCheck(
            "no process died of anything else",
            book.page.faultsCount.of("fault"),
            deaths.map { .init($0, nil) }
        )
    }
}
