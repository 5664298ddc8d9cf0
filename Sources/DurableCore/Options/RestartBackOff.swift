/// How long restarts wait in a row of quick deaths, as Kubernetes delays a container that crashes again and again.
///
/// The first restart never waits. The second quick death in a row is followed by the `initial` delay, each further one
/// by `factor` times the last, up to the `limit`; 20 % of chance are added or taken away. A death is quick when the
/// life had neither finished a call nor lasted ten seconds.
public struct RestartBackOff: Sendable, Hashable, Codable {
    /// The first delay; zero for none at all.
    public var initial: Duration

    /// How many times as long each delay is as the one before, 1 to 100.
    public var factor: Double

    /// The longest delay: the initial one or more, a day at most.
    public var limit: Duration

    /// Delays that grow.
    /// - Parameters:
    ///   - initial: The first delay; zero for none at all.
    ///   - factor: How many times as long each delay is as the one before, 1 to 100.
    ///   - limit: The longest delay: the initial one or more, a day at most.
    public init(
        initial: Duration = .milliseconds(50),
        factor: Double = 2,
        limit: Duration = .seconds(30)
    ) {
        self.initial = initial
        self.factor = factor
        self.limit = limit
    }

    /// The delay after this many delays in the same row, before chance is added.
    package func delay(after count: Int) -> Duration {
        var delay = initial
        for _ in 0..<count {
            guard factor > 1, delay > .zero, limit > delay else { break }
            delay = delay * factor
        }
        return min(delay, limit)
    }

    func validate() throws(ActorError) {
        guard initial >= .zero else {
            throw ActorError(.invalidArgument, "restartBackOff.initial is \(initial); allowed is zero or more")
        }
        guard (1...100).contains(factor) else {
            throw ActorError(.invalidArgument, "restartBackOff.factor is \(factor); allowed are 1 to 100")
        }
        guard limit >= initial, limit <= Limits.restartPeriodMax else {
            let allowed = "allowed are the initial \(initial) to \(Limits.restartPeriodMax)"
            throw ActorError(.invalidArgument, "restartBackOff.limit is \(limit); \(allowed)")
        }
    }
}
