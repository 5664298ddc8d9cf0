internal import DurableActors
internal import DurableChaos

/// What the user has decided of a run.
struct ChaosSettings: Sendable {
    var duration: Duration
    /// In each such stretch of time there is one fault.
    var period: Duration
    var kinds: ChaosKinds
    var seed: UInt64
    var clients = 0
    var downMax: Int
    /// What was asked for, for the report.
    var parameters: [(name: String, value: String)]
    /// The command that does the same again.
    var command: String
}
