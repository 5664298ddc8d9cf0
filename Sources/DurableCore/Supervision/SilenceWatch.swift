/// For how long a worker has been seen without a sign of life.
///
/// Only what is seen counts: of the time between two looks that are far apart, because the looking process stood still
/// itself, no more than a usual step.
package struct SilenceWatch: Sendable, Hashable {
    /// When a worker's threads last gave a sign, by the worker's clock; 0 for never.
    package struct Signs: Sendable, Hashable {
        /// The actors' thread.
        package var thread: UInt64
        /// Any thread.
        package var process: UInt64

        package init(thread: UInt64, process: UInt64) {
            self.thread = thread
            self.process = process
        }
    }

    private var lastLook: Duration?
    private var signs: Signs?
    private var threadSilence: Duration = .zero
    private var processSilence: Duration = .zero

    /// Has seen nothing yet.
    package init() {}

    /// Looks at a worker.
    /// - Returns: What to charge the end of its present life to, when it has been silent for longer than allowed.
    package mutating func look(_ signs: Signs, limit: UnresponsiveLimit, now: Duration) -> DeathCause? {
        let step = min(max(now - (lastLook ?? now), .zero), Limits.silenceStepMax)
        threadSilence = signs.thread == self.signs?.thread ? threadSilence + step : .zero
        processSilence = signs.process == self.signs?.process ? processSilence + step : .zero
        lastLook = now
        self.signs = signs
        if processSilence > limit.limit { return .stoodStill(limit: limit.limit) }
        if limit.scope == .thread, threadSilence > limit.limit { return .blocked(limit: limit.limit) }
        return nil
    }
}
