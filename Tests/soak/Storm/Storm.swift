import ArgumentParser

/// A kill storm: callers in three processes, actors of all kinds, and kills of everything that belongs to the runtime.
struct Storm: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Kills workers, spares, supervisors and drivers under load: nothing acknowledged is lost or doubled."
    )

    @OptionGroup var options: LaneOptions

    @Option(help: "How many kills there are.")
    var kills = 1000

    @Option(help: "How many calls are acknowledged for each kill, at least.")
    var callsPerKill = 100

    func validate() throws {
        guard (20...10_000_000).contains(kills) else {
            throw ValidationError("--kills is \(kills); allowed are 20 to 10000000")
        }
        guard (0...10_000).contains(callsPerKill) else {
            throw ValidationError("--calls-per-kill is \(callsPerKill); allowed are 0 to 10000")
        }
    }

    func run() async throws {
        let folder = try KillFolder("storm")
        defer { folder.remove() }
        var run = StormRun(folder: folder, kills: kills, callsPerKill: callsPerKill, seed: options.seed)
        do {
            try await run.perform()
        } catch {
            run.result.violations.append("the storm broke off: \(error)")
        }
        try await folder.killEverything()
        try run.result.conclude(options)
    }
}
