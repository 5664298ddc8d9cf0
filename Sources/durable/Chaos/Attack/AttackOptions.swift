internal import ArgumentParser
internal import DurableBench
internal import DurableChaos
internal import DurableTransport
internal import Glibc

/// What there is to say about an attack on a program that runs.
struct AttackOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Hit the actors of the program that runs in this data directory.", valueName: "dir"))
    var attach: String?

    @Option(
        help: ArgumentHelp(
            "With --attach: hit only the actor of this name or id, or the actors of this type; can be repeated.",
            valueName: "actor"
        )
    )
    var only: [String] = []

    @Option(
        help: ArgumentHelp(
            "With --attach: what was hit has to serve again within this time, else the attack ends at once; 10s by default.",
            valueName: "time"
        )
    )
    var objective: TimeSpan?

    @Flag(help: "With --attach: do not ask.")
    var yes = false

    /// Whether the options fit each other.
    /// - Parameter others: Options of scenarios, and whether they are given.
    func validate(others: [(name: String, isGiven: Bool)]) throws {
        if let objective, !(10...600_000).contains(objective.milliseconds) {
            throw ValidationError("--objective is \(objective); allowed are 10ms to 10min")
        }
        if attach == nil {
            let given = [("only", !only.isEmpty), ("objective", objective != nil), ("yes", yes)]
            if let first = given.first(where: \.1) { throw ValidationError("--\(first.0) is for --attach") }
        } else if let other = others.first(where: \.isGiven) {
            throw ValidationError("--\(other.name) is for scenarios; --attach hits what is there")
        }
    }

    /// The kinds of faults: what may hit one worker, or the supervisor. Only kills unless given.
    func kinds(_ text: String?) throws(Failure) -> ChaosKinds {
        guard let text else { return ChaosKinds([.kill]) }
        let possible = AttackRun.signals.keys.map(\.rawValue).sorted() + ["killSupervisor"]
        let kinds = text == "all" ? try ChaosKinds(possible.joined(separator: ",")) : try ChaosKinds(text)
        if let other = kinds.kinds.first(where: { !possible.contains($0.rawValue) }) {
            throw Failure(
                "--faults: \(other.rawValue) is not for --attach, which hits one process at a time; there are "
                    + possible.joined(separator: ", ")
            )
        }
        return kinds
    }

    /// What the command that repeats the attack has to say.
    var words: [String] {
        guard attach != nil else { return [] }
        return only.map { "--only \($0)" } + ["--objective \(goal)"] + (yes ? ["--yes"] : [])
    }

    private var goal: TimeSpan { objective ?? TimeSpan(milliseconds: 10_000) }

    /// Attacks, and reports.
    func run(
        _ path: String,
        _ settings: ChaosSettings,
        _ stop: ChaosStop,
        _ interruption: Interruption,
        _ machine: BenchmarkMachine,
        _ load: Double,
        showsProgress: Bool
    ) async throws -> ChaosReport {
        var settings = settings
        settings.parameters.append(("objective", "\(goal)"))
        if !only.isEmpty { settings.parameters.append(("only", only.joined(separator: ", "))) }
        let loop: EventLoop
        do {
            loop = try EventLoop(name: "attack")
        } catch {
            throw Failure("no event loop can be made: \(error.message)")
        }
        loop.start()
        defer { loop.stop() }
        let targets = try await AttackTargets(path, only: only, on: loop)
        let first = try await targets.firstLook(kinds: settings.kinds)
        if showsProgress || !yes { StandardError.write(first.text) }
        try confirm(first)
        // While the user is asked, Ctrl-C is an answer.
        interruption.divert { stop.raise($0) }
        let book = ChaosBook()
        let run = AttackRun(settings, targets, objective: goal.duration, book, stop)
        stop.onRaise { run.resumeAll() }
        let view = ChaosView(title: "attack", settings: settings, hasCalls: false)
        // Ended below, in any case.
        let display = showsProgress ? Task { await view.show(book) } : nil
        let outcome = await run.run()
        display?.cancel()
        await display?.value
        return ChaosReport(
            title: "attack on \(targets.directory)",
            promise: "whatever is hit serves again within \(goal)",
            settings: settings,
            machine: machine,
            loadBefore: load,
            page: book.page,
            hasCalls: false,
            checks: [outcome.check],
            notes: outcome.notes + first.notes,
            strangeDeaths: outcome.strangeDeaths
        )
    }

    private func confirm(_ first: AttackTargets.FirstLook) throws {
        guard !yes else { return }
        guard isatty(STDIN_FILENO) == 1 else {
            throw Failure("this kills processes of a program that runs; say so with --yes")
        }
        StandardError.write("Kill them, again and again? [y/N] ")
        guard let answer = readLine()?.lowercased(), ["y", "yes"].contains(answer) else {
            throw Failure("nothing was killed")
        }
    }
}
