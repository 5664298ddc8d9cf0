import ArgumentParser

/// What every lane can be told.
struct LaneOptions: ParsableArguments {
    @Option(help: "What decides every choice; printed, and enough to repeat the run.")
    var seed: UInt64 = 1

    @Flag(help: "Print the result as one line of JSON.")
    var json = false
}
