import ArgumentParser

/// The lanes in which the project is tested harder than its users can: many kills, power cuts, failing disks, seeds.
@main
struct Soak: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "soak",
        abstract: "Runs a lane of trials as long as its arguments say, and fails unless every trial held.",
        subcommands: [
            DiskLane.self, DiskHolder.self, ExhaustionLane.self, Stranger.self, ZombieLane.self, ZombieStarter.self,
            Points.self, PointTrial.self, ReadTellers.self, Storm.self, StormDriver.self, ReadStorm.self,
            CrashStates.self, CrashCheck.self, PowerCuts.self, CutLoad.self, TraceLoad.self, SimulationLane.self,
        ]
    )
}
