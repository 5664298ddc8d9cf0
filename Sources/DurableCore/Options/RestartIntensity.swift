/// How many restarts within how much time are too many, as the `intensity` and `period` of an OTP supervisor.
///
/// The actor ends with the death that would have made it one restart more, whatever is left of
/// ``ActorOptions/maxRestarts``. Planned restarts, when a node is drained, are not counted.
public struct RestartIntensity: Sendable, Hashable, Codable {
    /// How many restarts there may be within any stretch of that length, 1 to 1,000.
    public var restarts: Int

    /// How long that stretch is: more than zero, a day at most.
    public var within: Duration

    /// So many restarts within so much time, and no more.
    /// - Parameters:
    ///   - restarts: How many restarts there may be, 1 to 1,000.
    ///   - within: In which time: more than zero, a day at most.
    public init(restarts: Int, within: Duration) {
        self.restarts = restarts
        self.within = within
    }

    func validate() throws(ActorError) {
        guard (1...Limits.intensityRestartsMax).contains(restarts) else {
            let allowed = "allowed are 1 to \(Limits.intensityRestartsMax)"
            throw ActorError(.invalidArgument, "restartIntensity.restarts is \(restarts); \(allowed)")
        }
        guard within > .zero, within <= Limits.restartPeriodMax else {
            let allowed = "allowed is more than zero and at most \(Limits.restartPeriodMax)"
            throw ActorError(.invalidArgument, "restartIntensity.within is \(within); \(allowed)")
        }
    }
}
