#if SEEDED_BUGS
internal import SeededBugs
#endif

/// Decides whether and when an actor is restarted after an unexpected death.
///
/// The first restart is immediate. From the second quick death in a row on it waits, longer each time
/// (``RestartBackOff``), so that a crash loop does not take the machine. A death is quick when the life had neither
/// finished a turn nor lasted ten seconds: a worker that is killed while it works comes back at once, however often.
/// Whether there is another restart is up to the budget and, if given, to how many there were lately.
package struct RestartPolicy: Sendable, Hashable, Codable {
    /// What to do after a death.
    package enum Decision: Sendable, Hashable {
        /// Start the next incarnation at once.
        case restartNow
        /// Start it after this delay.
        case restart(after: Duration)
        /// The budget is used up.
        case giveUp
        /// There were as many restarts lately as there may be.
        case giveUpFor(RestartIntensity)
    }

    /// How many restarts are allowed.
    package let maxRestarts: RepeatLimit
    /// How many restarts there have been.
    package private(set) var restarts: Int = 0
    private var quickDeaths: Int = 0
    private var intensity: RestartIntensity?
    private var backOff: RestartBackOff?
    /// When the last restarts were, oldest first; kept if there is an intensity, no more than it allows.
    private var times: [Duration]?

    package init(maxRestarts: RepeatLimit) { self.maxRestarts = maxRestarts }

    /// What the options say, and nothing of it used.
    package init(_ options: ActorOptions) {
        maxRestarts = options.maxRestarts
        intensity = options.restartIntensity
        backOff = options.restartBackOff == RestartBackOff() ? nil : options.restartBackOff
    }

    /// Records a death and says what follows.
    /// - Parameters:
    ///   - lifetime: How long the incarnation had lived.
    ///   - wasProductive: Whether it had finished at least one turn.
    ///   - now: The time, by a clock that goes on when the supervisor is replaced.
    ///   - jitter: A random number in 0...1.
    package mutating func died(
        lifetime: Duration,
        wasProductive: Bool,
        now: Duration,
        jitter: Double
    ) -> Decision {
        #if SEEDED_BUGS
        if SeededBug.oneRestartTooMany.isActive, restarts > 0, !maxRestarts.allows(after: restarts),
            maxRestarts.allows(after: restarts - 1)
        {
            restarts += 1
            return .restartNow
        }
        #endif
        guard maxRestarts.allows(after: restarts) else { return .giveUp }
        if let intensity {
            // A time to come is of another boot of the machine.
            let recent = (times ?? []).filter { $0 <= now && now - $0 < intensity.within }
            guard recent.count < intensity.restarts else { return .giveUpFor(intensity) }
            times = recent + [now]
        }
        restarts += 1
        guard !wasProductive, lifetime < Limits.healthyLifetime else {
            quickDeaths = 0
            return .restartNow
        }
        quickDeaths += 1
        guard quickDeaths > 1 else { return .restartNow }
        let delay = (backOff ?? RestartBackOff()).delay(after: quickDeaths - 2)
        return .restart(after: delay * (0.8 + 0.4 * jitter))
    }
}
