internal import ArgumentParser
internal import DurableActors

/// Feeds a text into ledger actors while their processes are killed, and checks that nothing was lost or doubled.
struct Demo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Count a text in durable actors while their processes are killed; show that nothing was lost.",
        discussion: """
            The text is cut into records: paragraphs if blank lines separate any, else lines. Each record is sent to \
            one of several ledger actors, each in a process of its own. Meanwhile workers and the supervisor are \
            killed by SIGKILL. In the end all totals are compared with totals computed without any actor. A short \
            text is fed several times, until all kills have happened.
            """
    )

    @Option(help: ArgumentHelp("The text; - for standard input.", valueName: "file"))
    var input = "/var/lib/dpkg/status"

    @Option(help: "How many ledger actors, 1 to 64.")
    var actors = 8

    @Option(help: "How many callers at once, 1 to 1024; each waits for its reply before it sends the next record.")
    var callers = 16

    @Option(help: "How many processes are killed, 0 to 100000; one in twenty is the supervisor.")
    var kills = 100

    @Option(help: "What an acknowledged record survives: disk (power loss) or process (kill -9).")
    var durability = DurabilityOption.disk

    @Option(help: ArgumentHelp("Where state is kept; a temporary directory by default.", valueName: "dir"))
    var directory: String?

    @Option(help: "What decides who is killed when; random by default.")
    var seed: UInt64?

    @Flag(help: "Print one JSON object instead of a table.")
    var json = false

    func validate() throws {
        try check("actors", actors, 1...64)
        try check("callers", callers, 1...1024)
        try check("kills", kills, 0...100_000)
    }

    func run() async throws {
        let interruption = Interruption()
        do {
            let text = try RecordText(try Files.contents(input), ledgers: actors)
            guard !text.records.isEmpty else {
                throw Failure("\(input == "-" ? "standard input" : input) holds no text; give one with --input")
            }
            let settings = DemoRun.Settings(
                actors: actors,
                callers: callers,
                kills: kills,
                durability: durability == .disk ? .disk : .process,
                seed: seed ?? UInt64.random(in: 0...UInt64(UInt32.max)),
                isTemporary: directory == nil
            )
            let (runtime, departure) = try await start(interruption)
            let report: DemoReport
            do {
                report = try await DemoRun(settings, text, runtime, showsProgress: !json).run()
            } catch {
                await interruption.waitIfRaised()
                _ = await leave(departure)
                throw error
            }
            let isLeft = await leave(departure)
            await interruption.waitIfRaised()
            try StandardOutput.write(json ? try report.json + "\n" : report.text)
            guard report.isClean, isLeft else { throw ExitCode.failure }
        } catch let code as ExitCode {
            throw code
        } catch {
            throw Failure(error).report()
        }
    }

    private func start(_ interruption: Interruption) async throws -> (ActorRuntime, Departure) {
        await interruption.starting()
        do {
            let runtime = try await ActorRuntime.start(directory: directory)
            let departure = Departure(runtime, isTemporary: directory == nil)
            await interruption.adopt(departure)
            return (runtime, departure)
        } catch {
            interruption.startFailed()
            throw error
        }
    }

    /// Ends the runtime and names what did not end by itself. Returns false when something still runs.
    private func leave(_ departure: Departure) async -> Bool {
        let outcome = await departure.leave()
        guard outcome != .clean, outcome != .shared else { return true }
        StandardError.write("durable: \(departure.text(outcome))\n")
        if case .killed = outcome { return true }
        return false
    }

    private func check(_ option: String, _ value: Int, _ allowed: ClosedRange<Int>) throws {
        guard allowed.contains(value) else {
            throw ValidationError(
                "--\(option) is \(value); allowed are \(allowed.lowerBound) to \(allowed.upperBound)"
            )
        }
    }
}

/// The levels of durability as the command line names them.
enum DurabilityOption: String, ExpressibleByArgument, CaseIterable {
    case disk
    case process
}
