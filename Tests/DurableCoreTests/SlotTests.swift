import DurableCore
import Testing

struct SlotTests {
    /// Everything that can happen to a slot; `incarnation` is the one the news speaks of, relative to the current.
    enum Event: CaseIterable, Sendable {
        case activate, served, refused, exited, delayPassed, end, killLife

        var carriesIncarnation: Bool { [.served, .refused, .exited, .delayPassed].contains(self) }

        func apply(to slot: inout Slot, incarnation: Incarnation? = nil) -> Slot.Action {
            let incarnation = incarnation ?? slot.incarnation
            let now = Duration.seconds(100)
            return switch self {
            case .activate: slot.activate(now: now)
            case .served: slot.served(incarnation, now: now)
            case .refused: slot.refused(incarnation, cause: .quarantined(message: "bad"))
            case .exited:
                slot.exited(incarnation, cause: .signal(number: 9), wasProductive: true, now: now, jitter: 0.5)
            case .delayPassed: slot.delayPassed(after: incarnation, now: now)
            case .end: slot.end(because: .ownerDied)
            case .killLife: slot.killLife(because: .unresponsive)
            }
        }
    }

    /// A slot in each of its states, in its second life where it has lives.
    enum Stage: CaseIterable, Sendable {
        case dormant, starting, serving, backingOff, ending, ended

        func slot(maxRestarts: RepeatLimit = .unlimited) -> Slot {
            let policy = RestartPolicy(maxRestarts: maxRestarts)
            switch self {
            case .dormant: return Slot(policy: policy, incarnation: 2)
            case .serving: return .adopting(policy: policy, incarnation: 2, now: .seconds(50))
            case .ended: return .ended(policy: policy, incarnation: 2, cause: .killed)
            case .starting:
                var slot = Slot(policy: policy, incarnation: 1)
                _ = slot.activate(now: .seconds(50))
                return slot
            case .ending:
                var slot = Stage.serving.slot(maxRestarts: maxRestarts)
                _ = slot.end(because: .killed)
                return slot
            case .backingOff:
                var slot = Slot(policy: policy)
                _ = slot.activate(now: .seconds(50))
                for incarnation: Incarnation in 1...2 {
                    let cause = DeathCause.exit(code: 1)
                    _ = slot.exited(incarnation, cause: cause, wasProductive: false, now: .seconds(50), jitter: 0.5)
                }
                return slot
            }
        }
    }

    /// What is not listed does nothing and leaves the state as it was.
    private static let outcomes: [Stage: [Event: (Slot.Action, Slot.State)]] = [
        .dormant: [
            .activate: (.start(3), .starting(since: .seconds(100))),
            .end: (.announceEnd(.ownerDied), .ended(.ownerDied)),
        ],
        .starting: [
            .served: (.none, .serving(since: .seconds(100))),
            .refused: (.killWorker, .ending(.quarantined(message: "bad"))),
            .exited: (.start(3), .starting(since: .seconds(100))),
            .end: (.killWorker, .ending(.ownerDied)),
            .killLife: (.killWorker, .starting(since: .seconds(50))),
        ],
        .serving: [
            .refused: (.killWorker, .ending(.quarantined(message: "bad"))),
            .exited: (.start(3), .starting(since: .seconds(100))),
            .end: (.killWorker, .ending(.ownerDied)),
            .killLife: (.killWorker, .serving(since: .seconds(50))),
        ],
        .backingOff: [
            .delayPassed: (.start(3), .starting(since: .seconds(100))),
            .end: (.announceEnd(.ownerDied), .ended(.ownerDied)),
        ],
        .ending: [.exited: (.announceEnd(.killed), .ended(.killed))],
        .ended: [:],
    ]

    @Test(arguments: Stage.allCases, Event.allCases)
    func everyEventInEveryStateHasItsOutcome(stage: Stage, event: Event) {
        var slot = stage.slot()
        let before = slot.state
        let (action, state) = Self.outcomes[stage]?[event] ?? (.none, before)
        #expect(event.apply(to: &slot) == action)
        #expect(slot.state == state)
    }

    @Test(arguments: Stage.allCases, Event.allCases.filter(\.carriesIncarnation))
    func newsOfAnotherIncarnationChangesNothing(stage: Stage, event: Event) {
        for other: Incarnation in [0, 1, 3] {
            var slot = stage.slot()
            #expect(event.apply(to: &slot, incarnation: other) == .none)
            #expect(slot == stage.slot(), "\(event) of incarnation \(other) in \(stage)")
        }
    }

    @Test(arguments: Stage.allCases, Event.allCases)
    func anEventThatIsRepeatedActsOnce(stage: Stage, event: Event) {
        var slot = stage.slot()
        let incarnation = slot.incarnation
        _ = event.apply(to: &slot, incarnation: incarnation)
        let (state, current) = (slot.state, slot.incarnation)
        let again = event.apply(to: &slot, incarnation: incarnation)
        // A life that was told to die and has not yet is killed again.
        let isKilledAgain = event == .killLife && [.starting, .serving].contains(stage)
        #expect(again == (isKilledAgain ? .killWorker : .none))
        #expect(slot.state == state)
        #expect(slot.incarnation == current)
    }

    @Test func aRepeatedExitDoesNotChangeWhatTheDeathWasChargedTo() {
        var slot = Slot.adopting(policy: RestartPolicy(maxRestarts: 0), incarnation: 1, now: .zero)
        #expect(slot.killLife(because: .unresponsive) == .killWorker)
        let exit = DeathCause.signal(number: 9)
        let first = slot.exited(1, cause: exit, wasProductive: true, now: .seconds(1), jitter: 0)
        #expect(first == .announceEnd(.unresponsive))
        #expect(slot.exited(1, cause: exit, wasProductive: true, now: .seconds(1), jitter: 0) == .none)
        #expect(slot.lastCause == .unresponsive)
    }

    @Test func `a planned end is followed by a life that is not counted, if there may be one at all`() {
        for restarts: RepeatLimit in [0, 1, .unlimited] {
            var slot = Slot.adopting(policy: RestartPolicy(maxRestarts: restarts), incarnation: 1, now: .zero)
            let drained = DeathCause.nodeDrained(name: "a")
            for incarnation: Incarnation in 1...3 {
                #expect(slot.killLife(because: drained) == (incarnation > 1 && restarts == 0 ? .none : .killWorker))
                let action = slot.exited(
                    incarnation,
                    cause: .unresponsive,
                    wasProductive: false,
                    now: .seconds(1),
                    jitter: 0
                )
                guard restarts != 0 else {
                    #expect(action == (incarnation == 1 ? .announceEnd(drained) : .none))
                    continue
                }
                #expect(action == .start(incarnation + 1))
            }
            #expect(slot.policy.restarts == 0 || restarts == 0)
        }
    }

    @Test func aKilledLifeIsChargedToTheKillAndCountsAgainstTheBudget() {
        var slot = Slot.adopting(policy: RestartPolicy(maxRestarts: 1), incarnation: 1, now: .zero)
        #expect(slot.killLife(because: .killed) == .killWorker)
        let exit = DeathCause.signal(number: 9)
        #expect(slot.exited(1, cause: exit, wasProductive: true, now: .seconds(1), jitter: 0) == .start(2))
        #expect(slot.lastCause == .killed)
        let next = slot.exited(2, cause: exit, wasProductive: true, now: .seconds(2), jitter: 0)
        #expect(next == .announceEnd(exit), "the kill of the first life is not charged to the second")
    }

    @Test(arguments: [
        DeathCause.intendedExit, .ownerDied, .constructorThrew(message: "no"), .quarantined(message: "bad"),
        .runtimeEnded,
    ]) func finalCausesAreNotRestartedWhateverTheBudget(cause: DeathCause) {
        for stage in [Stage.starting, .serving] {
            var slot = stage.slot()
            let action = slot.exited(2, cause: cause, wasProductive: true, now: .seconds(60), jitter: 0)
            #expect(action == .announceEnd(cause))
            #expect(slot.state == .ended(cause))
            #expect(slot.policy.restarts == 0)
        }
    }

    @Test(arguments: [0, 1, 5]) func aBudgetOfNGivesNPlusOneLives(budget: Int) {
        var slot = Slot(policy: RestartPolicy(maxRestarts: RepeatLimit(budget)))
        var lives: [Incarnation] = []
        var action = slot.activate(now: .zero)
        while case .start(let incarnation) = action {
            lives.append(incarnation)
            _ = slot.served(incarnation, now: .zero)
            let cause = DeathCause.signal(number: 9)
            action = slot.exited(incarnation, cause: cause, wasProductive: true, now: .zero, jitter: 0)
        }
        #expect(lives == (1...Incarnation(budget + 1)).map(\.self))
        #expect(action == .announceEnd(.signal(number: 9)))
    }

    @Test func aCrashLoopWaitsAndAStaleDelayDoesNotStartASecondWorker() {
        var slot = Slot(policy: RestartPolicy(maxRestarts: .unlimited))
        #expect(slot.activate(now: .zero) == .start(1))
        let cause = DeathCause.exit(code: 1)
        #expect(slot.exited(1, cause: cause, wasProductive: false, now: .zero, jitter: 0.5) == .start(2))
        let wait = slot.exited(2, cause: cause, wasProductive: false, now: .zero, jitter: 0.5)
        #expect(wait == .wait(.milliseconds(50), 2))
        #expect(slot.isRunning)
        #expect(slot.delayPassed(after: 1, now: .zero) == .none)
        #expect(slot.delayPassed(after: 2, now: .zero) == .start(3))
        #expect(slot.delayPassed(after: 2, now: .zero) == .none)
    }

    @Test(arguments: Stage.allCases) func onlyAPresentLifeHasALifetime(stage: Stage) {
        let expected: Duration? = [.starting, .serving].contains(stage) ? .seconds(10) : nil
        #expect(stage.slot().lifetime(now: .seconds(60)) == expected)
    }

    @Test func theLifetimeCountsFromServing() {
        var slot = Slot(policy: RestartPolicy(maxRestarts: .unlimited))
        _ = slot.activate(now: .zero)
        let cause = DeathCause.exit(code: 1)
        _ = slot.exited(1, cause: cause, wasProductive: false, now: .zero, jitter: 0.5)
        _ = slot.served(2, now: .seconds(100))
        let quick = slot.exited(2, cause: cause, wasProductive: false, now: .seconds(109), jitter: 0.5)
        #expect(quick == .wait(.milliseconds(50), 2))
    }
}
