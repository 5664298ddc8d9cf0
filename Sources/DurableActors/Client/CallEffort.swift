internal import DurableCore

/// How hard a call is tried: how often it is sent again, and for how long its caller waits.
struct CallEffort: Sendable {
    /// When a caller stops waiting.
    struct Deadline: Sendable {
        let timeout: Duration
        private let instant: ContinuousClock.Instant

        init(_ timeout: Duration) {
            self.timeout = timeout
            instant = .now.advanced(by: timeout)
        }

        /// How long it is until then.
        var left: Duration { ContinuousClock.now.duration(to: instant) }

        /// What the caller of a call to this actor gets then.
        func error(of actor: ActorID) -> ActorError {
            let message = "no outcome came within \(timeout); the call may still run"
            return ActorError(.timedOut, message, actor: actor)
        }
    }

    /// How often the call is sent again; `nil` for what the actor's options say.
    var retries: RepeatLimit?
    /// How many of these were used by attempts that this call replaces.
    var retriesUsed = 0
    /// When the caller stops waiting; `nil` for never.
    var deadline: Deadline?
    /// The errors that let the call be made again when its method throws them.
    var retryOn = RetriedErrors.never

    /// How the next attempt is made after one that failed; `nil` when the error is the call's outcome.
    func next(after error: any Error, _ end: CallEnd) -> CallEffort? {
        guard retryOn.contains(error), end.retries.allows(after: end.retriesUsed) else { return nil }
        var next = self
        next.retriesUsed = end.retriesUsed + 1
        return next
    }
}

/// How an attempt at a call ended that was answered.
struct CallEnd: Sendable {
    var outcome: CallOutcome
    /// Whether the worker keeps a record of it.
    var isRecorded: Bool
    /// How often the call could be sent again, and how often it was, this attempt and those that it replaced together.
    var retries: RepeatLimit
    var retriesUsed: Int

    init(_ call: OutgoingCall, _ outcome: CallOutcome, on channel: ActorChannel) {
        let answer = call.answer
        self.outcome = outcome
        isRecorded = answer.isRecorded
        retries = call.effort.retries ?? channel.place?.location.options.maxTaskRetries ?? 0
        retriesUsed = answer.retriesUsed
    }
}
