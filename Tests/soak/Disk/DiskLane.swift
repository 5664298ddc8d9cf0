import ArgumentParser
import DurableActors
import DurableChaos
import DurableCore
import Glibc

/// Disks that fail, run full, write half, are slow, or give back other bytes than they got.
struct DiskLane: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "disk-faults",
        abstract: "Makes the disk of loaded actors and of the registry fail in every way, and damages stopped shards."
    )

    @OptionGroup var options: LaneOptions

    @Option(help: "How many episodes.")
    var episodes = 50

    @Option(help: "Only episodes whose name contains this.")
    var only: String?

    @Flag(help: "Say of each episode how it went.")
    var verbose = false

    func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        guard geteuid() == 0 else { throw LaneError("this lane needs root: it mounts small file systems") }
        let kinds = DiskEpisode.kinds.filter { kind in only.map { kind.name.contains($0) } ?? true }
        guard !kinds.isEmpty else { throw LaneError("no episode is named like \(only ?? "")") }
        var result = LaneResult(lane: "disk-faults", unit: "episodes", wanted: episodes, seed: options.seed)
        for kind in kinds where episodes >= kinds.count { result.faults[kind.name] = 0 }
        var progress = Progress("episodes", of: episodes)
        let scratch = try TrialDirectory()
        let disk = try await FailingDisk(scratch)
        var slowest = Duration.zero
        do {
            let runtime = try await ActorRuntime.start(directory: disk.directory)
            for number in 0..<episodes {
                let episode = DiskEpisode(
                    number: number,
                    kind: kinds[number % kinds.count],
                    seed: options.seed,
                    disk: disk,
                    runtime: runtime
                )
                await episode.run()
                let report = episode.report
                result.trials += report.isOver ? 1 : 0
                result.calls += report.calls
                result.acknowledged += report.acknowledged
                result.faults[episode.kind.name, default: 0] += report.bites
                for (what, count) in report.seen { result.faults[what, default: 0] += count }
                slowest = max(slowest, report.recovery)
                let name = "episode \(number) (\(episode.kind.name))"
                result.violations += report.violations.map { "\(name): \($0)" }
                result.unknown += report.unknown.map { "\(name): \($0)" }
                if verbose { StandardError.write("\(name): \(report)\n") }
                progress.show(result.trials, "last: \(episode.kind.name)")
            }
            await runtime.shutdown()
        } catch {
            await disk.end()
            throw error
        }
        await disk.end()
        result.seconds = progress.seconds
        if !options.json { print("slowest return to service after a fault: \(slowest)") }
        try result.conclude(options)
    }
}
