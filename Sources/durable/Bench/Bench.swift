internal import ArgumentParser
internal import CBOR
internal import DurableBench
internal import Glibc

/// Benchmarks for users on their own machine.
struct Bench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure on this machine what recoveries, calls, checkpoints, starts and idle actors cost.",
        discussion: """
            Each benchmark runs in a temporary directory, which it removes, says what question it answers and what it \
            ran on, and repeats the same order of events for the same --seed. Give it a machine that has nothing else \
            to do: the load is printed with the figures.
            """,
        subcommands: [
            BenchRecovery.self, BenchCalls.self, BenchCheckpoints.self, BenchStart.self, BenchMemory.self,
        ]
    )
}

/// What all benchmarks can be told.
struct BenchOptions: ParsableArguments {
    @Option(help: "What decides the order in which things are measured; random by default.")
    var seed: UInt64?

    @Option(help: ArgumentHelp("On which disk to measure; $TMPDIR or /var/tmp by default.", valueName: "dir"))
    var directory: String?

    @Flag(help: "Print one JSON object instead of tables.")
    var json = false

    @Option(help: ArgumentHelp("Write a page with plots, in one file that needs no other.", valueName: "file"))
    var html: String?
}

/// What can be claimed of a benchmark of latencies.
struct ClaimOptions: ParsableArguments {
    @Option(
        name: .customLong("assert"),
        help: ArgumentHelp(
            "Exit with 1 unless this holds of every line, as in p99<50ms; can be repeated. min, p50, p99, p99.9 or "
                + "max; <, <=, > or >=; ns, us, ms or s.",
            valueName: "claim"
        )
    )
    var texts: [String] = []

    func validate() throws { _ = try claims }

    /// The claims, read.
    var claims: [LatencyAssertion] {
        get throws {
            try texts.map { text in
                do throws(LatencyAssertion.ParseError) {
                    return try LatencyAssertion(text)
                } catch {
                    throw ValidationError(error.description)
                }
            }
        }
    }
}

/// What a benchmark found.
struct BenchFindings: Sendable {
    /// How it was run, besides the seed.
    var parameters: [(name: String, value: String)]
    var figures: [BenchmarkReport.Figure]
    var notes: [String]
    var plots: [BenchPlot] = []
    /// Of what claims are checked.
    var latencies: [(name: String, summary: LatencySummary)] = []
    /// What the JSON has besides the figures.
    var members: [(name: String, value: CBORValue)] = []
}

extension BenchOptions {
    /// Runs a benchmark from its first process to its last line.
    /// - Parameters:
    ///   - name: The subcommand.
    ///   - question: What it answers.
    ///   - claims: What must hold of what it finds.
    ///   - body: Measures.
    func run(
        _ name: String,
        _ question: String,
        claims: [LatencyAssertion] = [],
        _ body: (BenchSession) async throws -> BenchFindings
    ) async throws {
        let interruption = Interruption()
        do {
            if let html { try TextFile.check(html) }
            try useDirectory()
            let session = BenchSession(interruption, seed: seed ?? UInt64.random(in: 0...UInt64(UInt32.max)))
            let (machine, load) = (BenchmarkMachine.current(), BenchmarkMachine.load)
            let findings: BenchFindings
            do {
                findings = try await body(session)
            } catch {
                await interruption.waitIfRaised()
                throw error
            }
            await interruption.waitIfRaised()
            let report = BenchmarkReport(
                benchmark: name,
                question: question,
                parameters: findings.parameters + [("seed", "\(session.seed)")],
                machine: machine,
                loadBefore: load,
                figures: findings.figures,
                notes: findings.notes
            )
            try publish(report, findings)
            try check(claims, findings)
        } catch let code as ExitCode {
            throw code
        } catch {
            throw Failure(error).report()
        }
    }

    private func publish(_ report: BenchmarkReport, _ findings: BenchFindings) throws {
        if let html { try TextFile.write(BenchPage(report, findings.plots).text, to: html) }
        if json {
            return try StandardOutput.write(report.json(adding: findings.members, pretty: false) + "\n")
        }
        let charts = findings.plots.compactMap { plot in
            if case .bars(let bars) = plot {
                TerminalChart(bars).text(isColoured: StandardOutput.isTerminal)
            } else {
                nil
            }
        }
        try StandardOutput.write(([report.text] + charts).joined(separator: "\n"))
    }

    /// Says which claims do not hold, a line for each, and of what.
    private func check(_ claims: [LatencyAssertion], _ findings: BenchFindings) throws {
        var isBroken = false
        for claim in claims {
            for (name, summary) in findings.latencies where !claim.holds(of: summary) {
                let value = summary.value(of: claim.statistic).shown
                StandardError.write(
                    "durable: \(claim) does not hold of \(name): \(claim.statistic.rawValue) is \(value)\n"
                )
                isBroken = true
            }
        }
        if isBroken { throw ExitCode.failure }
    }

    /// Has temporary directories made on the disk that is to be measured. What `/tmp` is on may be no disk.
    private func useDirectory() throws {
        guard directory != nil || getenv("TMPDIR") == nil else { return }
        let base = directory ?? "/var/tmp"
        guard let path = realpath(base, nil) else { throw Failure("\(base): \(Files.reason(errno))") }
        defer { free(path) }
        guard Files.isDirectory(base) else { throw Failure("\(base) is not a directory") }
        setenv("TMPDIR", path, 1)
    }
}

/// A text file that a user named.
enum TextFile {
    /// Finds out, before anything is measured, whether it can be written.
    static func check(_ path: String) throws(Failure) {
        let isNew = !Files.exists(path)
        let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw Failure("\(path) cannot be written: \(Files.reason(errno))") }
        close(descriptor)
        if isNew { unlink(path) }
    }

    /// Replaces what is in it.
    static func write(_ text: String, to path: String) throws(Failure) {
        guard let file = fopen(path, "we") else { throw Failure("\(path) cannot be written: \(Files.reason(errno))") }
        let written = text.utf8.withContiguousStorageIfAvailable { fwrite($0.baseAddress, 1, $0.count, file) }
        let isWhole = written.map { $0 == text.utf8.count } ?? (fputs(text, file) >= 0)
        let code = errno
        guard fclose(file) == 0, isWhole else { throw Failure("\(path) cannot be written: \(Files.reason(code))") }
    }
}
