#if SEEDED_BUGS
internal import SeededBugs
#endif

/// One shard's place in the supervisor: which incarnation lives there, or when the next one starts.
///
/// A pure state machine. Its driver performs what an event returns. Events carry the incarnation they speak of; news
/// of an earlier one is stale and changes nothing.
package struct Slot: Sendable, Hashable {
    /// Where the slot stands.
    package enum State: Sendable, Hashable {
        /// No worker, none wanted yet. Can become `starting` or `ended`.
        case dormant
        /// A worker has been given the shard. Can become `serving`, `starting`, `backingOff` or `ended`.
        case starting(since: Duration)
        /// The worker answers calls. Can become `starting`, `backingOff` or `ended`.
        case serving(since: Duration)
        /// The next incarnation waits for its delay. Can become `starting` or `ended`.
        case backingOff
        /// Being killed for good; the process is not gone yet. Becomes `ended`.
        case ending(DeathCause)
        /// Nothing will run here again.
        case ended(DeathCause)
    }

    /// What the driver has to do.
    package enum Action: Sendable, Hashable {
        /// Nothing.
        case none
        /// Give the shard to a worker as this incarnation.
        case start(Incarnation)
        /// Call `delayPassed` after this time.
        case wait(Duration, Incarnation)
        /// Kill the worker's process; `exited` follows.
        case killWorker
        /// Tell everyone that the actor is gone, and why.
        case announceEnd(DeathCause)
    }

    /// Where the slot stands.
    package private(set) var state: State
    /// The incarnation that lives or lived last; 0 before the first.
    package private(set) var incarnation: Incarnation
    /// The restart budget and its use.
    package private(set) var policy: RestartPolicy
    /// What the last death was charged to.
    package private(set) var lastCause: DeathCause?
    /// The cause to charge the next exit to, when the supervisor itself asked for it.
    private var expectedCause: DeathCause?

    package init(policy: RestartPolicy, incarnation: Incarnation = 0) {
        self.policy = policy
        self.incarnation = incarnation
        state = .dormant
    }

    /// A slot whose worker was left behind by an earlier supervisor.
    package static func adopting(
        policy: RestartPolicy,
        incarnation: Incarnation,
        now: Duration
    ) -> Slot {
        var slot = Slot(policy: policy, incarnation: incarnation)
        slot.state = .serving(since: now)
        return slot
    }

    /// A slot that ended under an earlier supervisor.
    package static func ended(policy: RestartPolicy, incarnation: Incarnation, cause: DeathCause) -> Slot {
        var slot = Slot(policy: policy, incarnation: incarnation)
        slot.state = .ended(cause)
        return slot
    }

    /// Whether a worker has or should soon have the shard.
    package var isRunning: Bool {
        switch state {
        case .starting, .serving, .backingOff: true
        case .dormant, .ending, .ended: false
        }
    }

    /// How long the present life has lasted; `nil` when there is none, or it is being ended.
    package func lifetime(now: Duration) -> Duration? {
        switch state {
        case .starting(let since), .serving(let since): now - since
        case .dormant, .backingOff, .ending, .ended: nil
        }
    }

    /// Whether its worker is being killed for good and is not gone yet.
    package var isEnding: Bool { if case .ending = state { true } else { false } }

    /// Wants the actor to run: on creation, and on the first use of a detached actor that does not.
    package mutating func activate(now: Duration) -> Action {
        guard case .dormant = state else { return .none }
        return startNext(now: now)
    }

    /// The worker of this incarnation answers calls.
    package mutating func served(_ incarnation: Incarnation, now: Duration) -> Action {
        guard incarnation == self.incarnation, case .starting = state else { return .none }
        state = .serving(since: now)
        return .none
    }

    /// The worker reported that it cannot host the actor, now or ever: a constructor that threw, unreadable state.
    package mutating func refused(_ incarnation: Incarnation, cause: DeathCause) -> Action {
        guard incarnation == self.incarnation else { return .none }
        switch state {
        case .starting, .serving:
            state = .ending(cause)
            return .killWorker
        case .dormant, .backingOff, .ending, .ended:
            return .none
        }
    }

    /// The worker of this incarnation is gone.
    package mutating func exited(
        _ incarnation: Incarnation,
        cause: DeathCause,
        wasProductive: Bool,
        now: Duration,
        jitter: Double
    ) -> Action {
        #if SEEDED_BUGS
        let incarnation = SeededBug.staleDeathTaken.isActive ? self.incarnation : incarnation
        #endif
        guard incarnation == self.incarnation else { return .none }
        switch state {
        case .dormant, .backingOff, .ended: return .none
        case .starting, .serving, .ending: break
        }
        let charged = expectedCause ?? cause
        expectedCause = nil
        lastCause = charged
        switch state {
        case .ending(let final):
            state = .ended(final)
            return .announceEnd(final)
        case .starting(let since), .serving(let since):
            guard charged.permitsRestart else { return end(charged) }
            if charged.isPlanned, policy.maxRestarts != 0 { return startNext(now: now) }
            switch policy.died(lifetime: now - since, wasProductive: wasProductive, now: now, jitter: jitter) {
            case .restartNow:
                return startNext(now: now)
            case .restart(let delay):
                state = .backingOff
                return .wait(delay, incarnation)
            case .giveUp:
                return end(charged)
            case .giveUpFor(let intensity):
                return end(charged.beyond(intensity))
            }
        case .dormant, .backingOff, .ended:
            return .none
        }
    }

    /// The delay after the death of this incarnation has passed.
    package mutating func delayPassed(after incarnation: Incarnation, now: Duration) -> Action {
        guard incarnation == self.incarnation, case .backingOff = state else { return .none }
        return startNext(now: now)
    }

    /// Kills for good (`cause` is final), whatever the budget.
    package mutating func end(because cause: DeathCause) -> Action {
        switch state {
        case .starting, .serving:
            state = .ending(cause)
            return .killWorker
        case .dormant, .backingOff:
            return end(cause)
        case .ending, .ended:
            return .none
        }
    }

    /// Kills this life only; the budget decides what follows.
    package mutating func killLife(because cause: DeathCause) -> Action {
        switch state {
        case .starting, .serving:
            expectedCause = cause
            return .killWorker
        case .dormant, .backingOff, .ending, .ended:
            return .none
        }
    }

    private mutating func startNext(now: Duration) -> Action {
        incarnation += 1
        state = .starting(since: now)
        return .start(incarnation)
    }

    private mutating func end(_ cause: DeathCause) -> Action {
        state = .ended(cause)
        return .announceEnd(cause)
    }
}
