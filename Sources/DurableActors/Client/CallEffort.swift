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
    /// When the caller stops waiting; `nil` for never.
    var deadline: Deadline?
}
