internal import ArgumentParser
internal import DurableActors
internal import DurableBench
internal import DurableChaos
internal import Glibc

/// Puts actors under fire and shows what they keep: those of a scenario, or a user's own.
struct ChaosCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chaos",
        abstract: "Kill the processes of actors while clients call them, and check what was promised.",
        discussion: """
            A scenario is actors, clients that call them, and a check of everything that was acknowledged. Workers and \
            the supervisor are killed and stopped meanwhile, as the seed says. With --attach the actors of a program \
            that runs are hit instead; see `durable chaos --list` for scenarios and faults.
            """
    )

    @Argument(help: "ledger, bank, queue, counter or forgetful; --list says what each promises.")
    var scenario: ChaosScenarioName?

    @Flag(help: "Show the scenarios and the faults.")
    var list = false

    @Option(
        help: ArgumentHelp(
            "For how long there are faults, as in 30s or 5min; 15s by default, 30s with --attach.",
            valueName: "time"
        )
    )
    var duration: TimeSpan?

    @Option(
        help: ArgumentHelp(
            "There is a fault in each such stretch of time; 200ms by default, 1s with --attach.",
            valueName: "time"
        )
    )
    var every: TimeSpan?

    @Option(help: ArgumentHelp("How many faults there are in a second, instead of --every.", valueName: "number"))
    var rate: Double?

    @Option(help: "Kinds of faults, separated by commas, or all; kill comes most often.")
    var faults: String?

    @Option(help: "What decides which faults come when; random by default.")
    var seed: UInt64?

    @Option(help: "How many clients call at once, 1 to 1024; 8 by default.")
    var clients: Int?

    @Option(help: "How many actors there are, 1 to 64, at least 2 accounts; 4 by default.")
    var actors: Int?

    @Option(help: "What an acknowledged call survives: disk (power loss) or process (kill -9); disk by default.")
    var durability: DurabilityOption?

    @Option(help: "How many processes may be down at once, 1 to 64; with --attach how many actors, 1 by default.")
    var downMax: Int?

    @Flag(help: "Print one JSON object instead of a table, and show nothing meanwhile.")
    var json = false

    @Option(help: ArgumentHelp("Write a page with the timeline, in one file that needs no other.", valueName: "file"))
    var html: String?

    @OptionGroup var claims: ClaimOptions
    @OptionGroup var attack: AttackOptions

    func validate() throws {
        guard attack.attach == nil || scenario == nil else {
            throw ValidationError("--attach attacks a program that runs; it takes no scenario")
        }
        guard list || scenario != nil || attack.attach != nil else {
            throw ValidationError(
                "give a scenario (\(Self.names)), or --attach with the directory of a program that runs"
            )
        }
        try attack.validate(others: [
            ("clients", clients != nil), ("actors", actors != nil), ("durability", durability != nil),
        ])
        guard every == nil || rate == nil else { throw ValidationError("give either --every or --rate") }
        try check("duration", duration, 100...3_600_000, "100ms to 1h")
        try check("every", every, 1...3_600_000, "1ms to 1h")
        if let rate, !(rate >= 0.001 && rate <= 1000) {
            throw ValidationError("--rate is \(rate); allowed are 0.001 to 1000 faults in a second")
        }
        try check("clients", clients, 1...1024)
        try check("actors", actors, (scenario == .bank ? 2 : 1)...64)
        try check("down-max", downMax, 1...64)
        do throws(Failure) { _ = try kinds } catch { throw ValidationError(error.description) }
    }

    func run() async throws {
        do {
            if list { return try StandardOutput.write(Self.listing) }
            if let html { try TextFile.check(html) }
            let (machine, load) = (BenchmarkMachine.current(), BenchmarkMachine.load)
            let (stop, interruption) = (ChaosStop(), Interruption())
            var report: ChaosReport
            if let directory = attack.attach {
                report = try await attack.run(
                    directory,
                    settings(for: "--attach \(directory)"),
                    stop,
                    interruption,
                    machine,
                    load,
                    showsProgress: !json
                )
            } else if let scenario {
                interruption.divert { stop.raise($0) }
                report = try await run(scenario, stop, interruption, machine, load)
            } else {
                return
            }
            if stop.isRaised, let signal = stop.signal {
                report.notes.append("interrupted after \(report.page.elapsed.shown); what was begun is reported")
                try publish(report)
                throw report.isClean ? ExitCode(128 + signal) : ExitCode.failure
            }
            try publish(report)
            guard try isAsClaimed(report), report.isClean else { throw ExitCode.failure }
        } catch let code as ExitCode {
            throw code
        } catch {
            throw Failure(error).report()
        }
    }

    private func run(
        _ name: ChaosScenarioName,
        _ stop: ChaosStop,
        _ interruption: Interruption,
        _ machine: BenchmarkMachine,
        _ load: Double
    ) async throws -> ChaosReport {
        var settings = try settings(for: name.rawValue)
        settings.clients = clients ?? 8
        let durability: Durability = self.durability == .process ? .process : .disk
        let scale = ChaosScale(actors: actors ?? 4, clients: settings.clients, durability: durability)
        settings.parameters += [
            ("actors", "\(scale.actors)"), ("clients", "\(scale.clients)"), ("durability", "\(durability)"),
        ]
        await interruption.starting()
        let runtime: ActorRuntime
        do {
            runtime = try await ActorRuntime.start()
        } catch {
            interruption.startFailed()
            throw error
        }
        let departure = Departure(runtime, isTemporary: true)
        await interruption.adopt(departure)
        let outcome: ChaosRun.Outcome
        do {
            let scenario = name.scenario(scale, seed: settings.seed)
            let probes = try await scenario.prepare(runtime)
            let book = ChaosBook()
            let run = ChaosRun(settings: settings, runtime: runtime, book: book, stop: stop)
            outcome = try await showing(book, name.rawValue, settings) { try await run.run(probes, scenario) }
        } catch {
            await interruption.waitIfRaised()
            _ = try? await leave(departure)
            throw error
        }
        try await leave(departure)
        await interruption.waitIfRaised()
        return ChaosReport(
            title: name.rawValue,
            promise: name.promise,
            settings: settings,
            machine: machine,
            loadBefore: load,
            page: outcome.page,
            checks: outcome.checks,
            lost: outcome.lost,
            doubled: outcome.doubled,
            notes: [
                "In the end all processes were killed once more: what was checked, their successors read from the disk."
            ]
        )
    }

    private func showing<Result: Sendable>(
        _ book: ChaosBook,
        _ title: String,
        _ settings: ChaosSettings,
        _ body: () async throws -> Result
    ) async throws -> Result {
        guard !json else { return try await body() }
        let view = ChaosView(title: title, settings: settings)
        // Ended below, in any case.
        let display = Task { await view.show(book) }
        let result: Swift.Result<Result, any Error>
        do { result = .success(try await body()) } catch { result = .failure(error) }
        display.cancel()
        await display.value
        return try result.get()
    }

    private func leave(_ departure: Departure) async throws {
        let outcome = await departure.leave()
        guard outcome != .clean else { return }
        StandardError.write("durable: \(departure.text(outcome))\n")
        if case .stuck = outcome { throw Failure("the processes of the run cannot be ended") }
    }
}

extension ChaosCommand {
    private static var names: String { ChaosScenarioName.allCases.map(\.rawValue).joined(separator: ", ") }

    private static var listing: String {
        var table = Table(["SCENARIO", "PROMISES"])
        for name in ChaosScenarioName.allCases { table.add([name.rawValue, name.promise]) }
        return table.text + "\nfaults: \(ChaosKinds.names)\nunless told otherwise: \(ChaosKinds.usual)\n"
    }

    private var kinds: ChaosKinds {
        get throws(Failure) {
            guard attack.attach == nil else { return try attack.kinds(faults) }
            return if let faults { try ChaosKinds(faults) } else { .usual }
        }
    }

    /// What is decided, and the command that decides it again.
    private func settings(for subject: String) throws -> ChaosSettings {
        let isAttack = attack.attach != nil
        let duration = duration ?? TimeSpan(milliseconds: isAttack ? 30_000 : 15_000)
        let every =
            every ?? rate.map { TimeSpan(milliseconds: max(1, Int((1000 / $0).rounded()))) }
            ?? TimeSpan(milliseconds: isAttack ? 1000 : 200)
        let (kinds, seed) = (try kinds, seed ?? UInt64.random(in: 0...UInt64(UInt32.max)))
        let downMax = downMax ?? (isAttack ? 1 : max(1, (actors ?? 4) / 2))
        var words = ["durable chaos \(subject)", "--seed \(seed)", "--duration \(duration)", "--every \(every)"]
        words += ["--faults \(kinds)", "--down-max \(downMax)"]
        if let clients { words.append("--clients \(clients)") }
        if let actors { words.append("--actors \(actors)") }
        if let durability { words.append("--durability \(durability)") }
        return ChaosSettings(
            duration: duration.duration,
            period: every.duration,
            kinds: kinds,
            seed: seed,
            downMax: downMax,
            parameters: [("duration", "\(duration)"), ("fault every", "\(every)"), ("down at most", "\(downMax)")],
            command: (words + attack.words).joined(separator: " ")
        )
    }

    private func publish(_ report: ChaosReport) throws {
        if let html { try TextFile.write(ChaosPage(report).text, to: html) }
        try StandardOutput.write(json ? report.json + "\n" : report.text(isColoured: StandardOutput.isTerminal))
    }

    /// Says which claims do not hold of the recoveries of workers.
    private func isAsClaimed(_ report: ChaosReport) throws -> Bool {
        var isTrue = true
        for claim in try claims.claims {
            guard let summary = LatencySummary(report.page.workerRecoveries) else {
                StandardError.write("durable: \(claim) cannot be told: no worker was killed\n")
                isTrue = false
                continue
            }
            guard !claim.holds(of: summary) else { continue }
            let value = summary.value(of: claim.statistic).shown
            StandardError.write("durable: \(claim) does not hold: \(claim.statistic.rawValue) is \(value)\n")
            isTrue = false
        }
        return isTrue
    }

    private func check(_ option: String, _ value: Int?, _ allowed: ClosedRange<Int>) throws {
        guard let value, !allowed.contains(value) else { return }
        throw ValidationError("--\(option) is \(value); allowed are \(allowed.lowerBound) to \(allowed.upperBound)")
    }

    private func check(_ option: String, _ value: TimeSpan?, _ allowed: ClosedRange<Int>, _ text: String) throws {
        guard let value, !allowed.contains(value.milliseconds) else { return }
        throw ValidationError("--\(option) is \(value); allowed are \(text)")
    }
}

extension ChaosScenarioName: ExpressibleByArgument {}
