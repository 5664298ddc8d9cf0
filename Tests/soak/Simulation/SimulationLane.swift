import ArgumentParser
import DurableSimulation
import Glibc

/// Histories of a whole runtime in virtual time: processes, sockets and disks that fail as a seed decides.
struct SimulationLane: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulation",
        abstract: "Runs the deciding code of all roles together in simulated worlds, one for each seed."
    )

    /// Seeds that one task runs before it says how far it is.
    private static let seedsPerTask: UInt64 = 50

    /// So many seeds show every fault; fewer need not.
    private static let seedsShowingAll = 1_000

    @OptionGroup var options: LaneOptions

    @Option(help: "How many seeds are run, from --seed on.")
    var seeds = 5_000

    @Option(help: "How many lines of a failing seed's trace are shown.")
    var lines = 120

    func run() async throws {
        var result = LaneResult(lane: "simulation", unit: "seeds", wanted: seeds, seed: options.seed)
        let isMuch = seeds >= Self.seedsShowingAll
        if isMuch { result.faults = Dictionary(uniqueKeysWithValues: Fault.allCases.map { ($0.rawValue, 0) }) }
        var progress = Progress("seeds", of: seeds)
        var events = 0
        // The same in every process that runs these seeds; in whatever order they are ready.
        var checksum: UInt64 = 0
        var failed: [UInt64] = []
        await withTaskGroup(of: [SimulationReport].self) { group in
            var next = options.seed
            let end = options.seed &+ UInt64(seeds)
            func startOne() {
                guard next < end else { return }
                let range = next..<min(end, next + Self.seedsPerTask)
                next = range.upperBound
                group.addTask { range.map { Simulation.run(seed: $0) } }
            }
            for _ in 0..<max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) { startOne() }
            while let reports = await group.next() {
                startOne()
                for report in reports {
                    result.trials += 1
                    if isMuch { result.calls += report.calls }
                    result.acknowledged += report.acknowledged
                    events += report.events
                    checksum &+= report.checksum
                    for (fault, count) in report.faults { result.faults[fault.rawValue, default: 0] += count }
                    let violations = report.violations.map { "seed \(report.seed): \($0)" }
                    for violation in violations { StandardError.write("violated: \(violation)\n") }
                    result.violations += violations
                    if !violations.isEmpty { failed.append(report.seed) }
                }
                progress.show(result.trials, "\(events) events")
            }
        }
        result.seconds = progress.seconds
        StandardError.write("checksum of these histories: \(String(checksum, radix: 16))\n")
        if let first = failed.min() { show(first) }
        try result.conclude(options)
    }

    /// Shows what led to a violation, and how to see it again.
    private func show(_ seed: UInt64) {
        let report = Simulation.run(seed: seed, keeping: lines)
        for line in report.trace { StandardError.write("  \(line)\n") }
        StandardError.write("seed \(seed) again: soak simulation --seeds 1 --seed \(seed) --lines 10000\n")
    }
}
