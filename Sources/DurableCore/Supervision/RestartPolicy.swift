/// Decides whether and when an actor is restarted after an unexpected death.
///
/// The first restart is immediate. From the second quick death in a row on it waits 50 ms, doubling to 30 s, with
/// 20 % jitter, so that a crash loop does not take the machine. A death is quick when the life had neither finished a
/// turn nor lasted ten seconds: a worker that is killed while it works comes back at once, however often.
package struct RestartPolicy: Sendable, Hashable, Codable {
    /// What to do after a death.
    package enum Decision: Sendable, Hashable {
        /// Start the next incarnation at once.
        case restartNow
        /// Start it after this delay.
        case restart(after: Duration)
        /// The budget is used up.
        case giveUp
    }

    /// How many restarts are allowed.
    package let maxRestarts: RepeatLimit
    /// How many restarts there have been.
    package private(set) var restarts: Int = 0
    private var quickDeaths: Int = 0

    package init(maxRestarts: RepeatLimit) { self.maxRestarts = maxRestarts }

    /// Records a death and says what follows.
    /// - Parameters:
    ///   - lifetime: How long the incarnation had lived.
    ///   - wasProductive: Whether it had finished at least one turn.
    ///   - jitter: A random number in 0...1.
    package mutating func died(lifetime: Duration, wasProductive: Bool, jitter: Double) -> Decision {
        guard maxRestarts.allows(after: restarts) else { return .giveUp }
        restarts += 1
        guard !wasProductive, lifetime < Limits.healthyLifetime else {
            quickDeaths = 0
            return .restartNow
        }
        quickDeaths += 1
        guard quickDeaths > 1 else { return .restartNow }
        let doublings = min(quickDeaths - 2, 16)
        let delay = min(Limits.restartDelayFirst * (1 << doublings), Limits.restartDelayMax)
        return .restart(after: delay * (0.8 + 0.4 * jitter))
    }
}
