import DurableCore
import Testing

struct CallerChannelTests {
    private let actor = ActorID(high: 0, low: 1)
    private var channel = CallerChannel(actor: ActorID(high: 0, low: 1), session: SessionID(high: 5, low: 6))
    private var location: ActorLocation { ActorLocation(.simple(1)) }

    /// Submits a call and returns its sequence number and what came of it.
    private mutating func submit(_ retries: RepeatLimit = 0) -> (sequence: UInt64, actions: [CallerChannel.Action]) {
        channel.submit(method: "m", genericSubstitutions: [], arguments: [], retries: retries)
    }

    private mutating func reply(_ sequence: UInt64, epoch: Epoch = 1) -> [CallerChannel.Action] {
        let outcome = CallOutcome.returned([UInt8(truncatingIfNeeded: sequence)])
        return channel.replied(ReplyFrame(sequence: sequence, actor: actor, epoch: epoch, version: 1, outcome: outcome))
    }

    /// A compact form of actions: what is sent with which frontier, what fails with which code.
    private func summary(_ actions: [CallerChannel.Action]) -> [String] {
        actions.map { action in
            switch action {
            case .connect: "connect"
            case .connectLater: "connectLater"
            case .disconnect: "disconnect"
            case .refuse(let epoch): "refuse, seen \(epoch)"
            case .send(let frame): "send \(frame.id.sequence) from \(frame.firstIncomplete)"
            case .resolve(let sequence, _): "resolve \(sequence)"
            case .fail(let sequence, let error): "fail \(sequence) \(error.code)"
            case .askSupervisor(let lost): "ask \(lost.map(String.init) ?? "-")"
            case .warn(let count): "warn of \(count)"
            case .warnHeldUp(let method): "warn of \(method)"
            }
        }
    }

    @Test mutating func callsBeforeTheFirstLifeAreKeptAndSentInOrder() {
        #expect(summary(submit().actions) == ["connect"])
        #expect(submit().actions.isEmpty)
        #expect(submit(.unlimited).actions.isEmpty)
        let opened = channel.opened(incarnation: 1, epoch: 1)
        #expect(summary(opened) == ["send 1 from 1", "send 2 from 1", "send 3 from 1"])
        #expect(summary(submit().actions) == ["send 4 from 1"])
    }

    @Test mutating func aReplyResolvesItsCallOnceAndMovesTheFrontier() {
        for _ in 0..<3 { _ = submit() }
        _ = channel.opened(incarnation: 1, epoch: 1)
        #expect(summary(reply(2)) == ["resolve 2"])
        #expect(reply(2).isEmpty, "a repeated reply")
        #expect(reply(9).isEmpty, "a reply to a call that was never made")
        #expect(summary(submit().actions) == ["send 4 from 1"])
        #expect(summary(reply(1)) == ["resolve 1"])
        #expect(summary(submit().actions) == ["send 5 from 3"])
        for sequence: UInt64 in 3...5 { _ = reply(sequence) }
        #expect(summary(submit().actions) == ["send 6 from 6"])
        #expect(channel.pendingCount == 1)
    }

    @Test mutating func `a cancelled call that was not sent never is, and one that was is sent again with the wish`() {
        for _ in 0..<3 { _ = submit(.unlimited) }
        #expect(summary(channel.cancel(2, .recursive)) == ["fail 2 cancelled"])
        #expect(channel.cancel(2, .recursive).isEmpty, "again")
        #expect(summary(channel.opened(incarnation: 1, epoch: 1)) == ["send 1 from 1", "send 3 from 1"])
        let wish = channel.cancel(3, .single)
        guard case .send(let frame)? = wish.first, wish.count == 1 else {
            Issue.record("\(wish)")
            return
        }
        #expect(frame.cancellation == .single && frame.id.sequence == 3)
        // Whoever is next learns of it as well, and the other call is made again as it was.
        _ = channel.closed()
        #expect(channel.cancel(1, .recursive).isEmpty, "there is nobody to tell")
        let next = channel.opened(incarnation: 2, epoch: 2).map { action -> CallFrame.Cancellation? in
            if case .send(let frame) = action { frame.cancellation } else { nil }
        }
        #expect(next == [.recursive, .single])
        #expect(summary(reply(3, epoch: 2)) == ["resolve 3"])
        #expect(channel.cancel(3, .recursive).isEmpty, "it has ended")
        #expect(channel.pendingCount == 1)
    }

    @Test mutating func repliesOfAFormerOwnerAreDropped() {
        _ = submit()
        _ = channel.opened(incarnation: 2, epoch: 2)
        #expect(reply(1, epoch: 1).isEmpty)
        #expect(channel.pendingCount == 1)
        #expect(summary(reply(1, epoch: 2)) == ["resolve 1"])
        #expect(summary(channel.closed()) == ["connect", "ask 2"])
        #expect(summary(channel.opened(incarnation: 1, epoch: 1)) == ["refuse, seen 2", "connectLater"])
        #expect(channel.state == .lost(2))
    }

    @Test(arguments: [0, 2, -1] as [RepeatLimit])
    mutating func theSameIncarnationGetsEveryCallAgainWithoutUsingARetry(retries: RepeatLimit) {
        _ = submit(retries)
        _ = channel.opened(incarnation: 1, epoch: 1)
        for _ in 0..<10 {
            #expect(summary(channel.closed()) == ["connect", "ask 1"])
            #expect(summary(channel.opened(incarnation: 1, epoch: 1)) == ["send 1 from 1"])
        }
        #expect(channel.verdict(.alive(location, 1)).isEmpty, "a late answer")
        #expect(summary(reply(1)) == ["resolve 1"])
    }

    @Test mutating func aNewIncarnationGetsOnlyWhatMayBeRetried() {
        for retries: RepeatLimit in [0, 1, .unlimited, 0] { _ = submit(retries) }
        _ = channel.opened(incarnation: 1, epoch: 1)
        _ = channel.closed()
        #expect(summary(channel.verdict(.alive(location, 2))) == [])
        let second = channel.opened(incarnation: 2, epoch: 2)
        #expect(summary(second) == ["fail 1 unavailable", "send 2 from 2", "send 3 from 2", "fail 4 unavailable"])
        _ = channel.closed()
        let third = channel.opened(incarnation: 3, epoch: 3)
        #expect(summary(third) == ["fail 2 unavailable", "send 3 from 3"])
        for incarnation: Incarnation in 4...50 {
            _ = channel.closed()
            let again = channel.opened(incarnation: incarnation, epoch: incarnation)
            #expect(summary(again) == ["send 3 from 3"])
        }
    }

    @Test mutating func aCallThatWasNeverSentUsesNoRetry() {
        _ = submit(0)
        #expect(summary(channel.closed()) == ["ask -"])
        #expect(summary(channel.verdict(.restarting(location))) == ["connectLater"])
        #expect(channel.state == .connecting)
        #expect(summary(channel.opened(incarnation: 2, epoch: 2)) == ["send 1 from 1"])
    }

    @Test mutating func whileItRestartsCallsWithoutRetriesFailAtOnceAndTheOthersWait() {
        _ = submit(0)
        _ = submit(.unlimited)
        _ = channel.opened(incarnation: 1, epoch: 1)
        _ = channel.closed()
        #expect(submit(0).actions.isEmpty, "nobody knows yet what happened")
        let verdict = channel.verdict(.restarting(location))
        #expect(summary(verdict) == ["fail 1 unavailable", "fail 3 unavailable"])
        #expect(channel.state == .restarting)
        #expect(channel.verdict(.restarting(location)).isEmpty, "the answer to a second question")
        let refused = submit(0)
        #expect(summary(refused.actions) == ["fail \(refused.sequence) unavailable"])
        let kept = submit(1)
        #expect(kept.actions.isEmpty)
        let opened = channel.opened(incarnation: 2, epoch: 2)
        #expect(summary(opened) == ["send 2 from 2", "send \(kept.sequence) from 2"])
    }

    @Test mutating func theErrorSaysWhetherTheCallMayHaveRun() {
        _ = submit(0)
        _ = channel.opened(incarnation: 1, epoch: 1)
        _ = channel.closed()
        _ = submit(0)
        let messages = channel.verdict(.restarting(location)).map { action in
            if case .fail(_, let error) = action { error.message } else { "" }
        }
        #expect(messages.map { $0.contains("may have run") } == [true, false])
    }

    @Test mutating func everyCallHasASequenceNumberOfItsOwnAlsoWhenItFailsAtOnce() {
        _ = submit(.unlimited)
        _ = channel.opened(incarnation: 1, epoch: 1)
        _ = channel.closed()
        _ = channel.verdict(.restarting(location))
        let restarting = [submit(0), submit(0), submit(1), submit(0)].map(\.sequence)
        _ = channel.verdict(.dead(.killed, typeDescription: "T", restarts: 0))
        let all = [1] + restarting + [submit(0), submit(1)].map(\.sequence)
        #expect(Set(all).count == all.count, "\(all)")
        #expect(all == all.sorted())
    }

    @Test mutating func deathFailsEverythingInOrderAndForGood() {
        for retries: RepeatLimit in [0, .unlimited, 3] { _ = submit(retries) }
        _ = channel.opened(incarnation: 1, epoch: 1)
        _ = channel.closed()
        let cause = DeathCause.signal(number: 9)
        let verdict = channel.verdict(.dead(cause, typeDescription: "T", restarts: 1))
        #expect(summary(verdict) == ["disconnect", "fail 1 died", "fail 2 died", "fail 3 died"])
        let expected = ActorError(.died, "T died after 1 restart: \(cause)", actor: actor)
        #expect(channel.state == .dead(expected))
        #expect(channel.isDead && channel.pendingCount == 0)
        let late = submit(.unlimited)
        #expect(late.actions == [.fail(late.sequence, expected)])
        #expect(channel.closed().isEmpty)
        #expect(reply(1, epoch: 9).isEmpty)
        #expect(channel.opened(incarnation: 2, epoch: 2) == [.disconnect])
        #expect(channel.isDead)
    }

    @Test mutating func anUnknownActorAndAQuarantinedOneFailWithWhatToDo() {
        var other = channel
        _ = submit()
        _ = channel.closed()
        #expect(summary(channel.verdict(.unknown)) == ["fail 1 died"])
        _ = other.submit(method: "m", genericSubstitutions: [], arguments: [], retries: 0)
        _ = other.closed()
        let cause = DeathCause.quarantined(message: "bad byte")
        let actions = other.verdict(.dead(cause, typeDescription: "T", restarts: 0))
        #expect(summary(actions) == ["fail 1 quarantined"])
        guard case .fail(_, let error)? = actions.first else { return }
        #expect(error.message.contains("bad byte") && error.message.contains("durable inspect"))
    }

    @Test mutating func anAbandonedCallIsNeitherSentNorAnsweredAndDoesNotHoldTheFrontier() {
        for _ in 0..<3 { _ = submit(.unlimited) }
        channel.abandon(1)
        channel.abandon(1)
        #expect(summary(channel.opened(incarnation: 1, epoch: 1)) == ["send 2 from 2", "send 3 from 2"])
        #expect(reply(1).isEmpty)
        channel.abandon(2)
        #expect(summary(submit().actions) == ["send 4 from 3"])
    }

    @Test mutating func tooManyUnansweredCallsAreRefusedUntilSomeAreAnswered() {
        for _ in 0..<Limits.pendingCallsMax { _ = submit() }
        let refused = submit()
        #expect(summary(refused.actions) == ["fail \(refused.sequence) limitExceeded"])
        channel.abandon(1)
        #expect(submit().actions.isEmpty)
        #expect(channel.pendingCount == Limits.pendingCallsMax)
    }

    @Test mutating func aConnectionThatCannotBeMadeIsTriedAgainAfterEachAnswer() {
        _ = submit()
        for _ in 0..<5 {
            #expect(summary(channel.closed()) == ["ask -"])
            #expect(summary(channel.closed()) == ["ask -"], "closed again before the answer")
            #expect(summary(channel.verdict(.alive(location, 1))) == ["connectLater"])
            #expect(channel.verdict(.alive(location, 1)).isEmpty, "the second answer")
        }
        #expect(summary(channel.opened(incarnation: 1, epoch: 1)) == ["send 1 from 1"])
    }

    @Test mutating func callsDoNotRunFurtherAheadOfTheFirstUnansweredOneThanRecordsAreKept() {
        let window = Int(Limits.unacknowledgedCallsMax)
        for _ in 0..<(window + 3) { _ = submit(.unlimited) }
        #expect(channel.opened(incarnation: 1, epoch: 1).count == window)
        #expect(submit(.unlimited).actions.isEmpty)
        #expect(summary(reply(2)) == ["resolve 2"], "the first one is still waited for")
        #expect(summary(reply(1)) == ["resolve 1", "send \(window + 1) from 3", "send \(window + 2) from 3"])
        channel.abandon(4)
        #expect(summary(channel.abandon(3)) == ["send \(window + 3) from 5", "send \(window + 4) from 5"])
        #expect(submit(.unlimited).actions.isEmpty)
        #expect(summary(reply(5)) == ["resolve 5", "send \(window + 5) from 6"])
    }

    @Test mutating func `calls that failed at once hold up none that follows them`() {
        _ = submit(0)
        _ = channel.opened(incarnation: 1, epoch: 1)
        _ = channel.closed()
        _ = channel.verdict(.restarting(location))
        for _ in 0...Limits.unacknowledgedCallsMax { _ = submit(0) }
        #expect(channel.opened(incarnation: 2, epoch: 2).isEmpty)
        let next = submit(0)
        #expect(summary(next.actions) == ["send \(next.sequence) from \(next.sequence)"])
    }

    @Test mutating func `a call that holds up those behind it is told of once`() {
        _ = channel.opened(incarnation: 1, epoch: 1)
        let first = submit(0).sequence
        for _ in 1..<Limits.unacknowledgedCallsMax {
            let next = submit(0)
            #expect(summary(next.actions) == ["send \(next.sequence) from \(first)"])
            #expect(summary(reply(next.sequence)) == ["resolve \(next.sequence)"])
        }
        let held = submit(0)
        #expect(summary(held.actions) == ["warn of m"])
        #expect(submit(0).actions.isEmpty)
        let freed = ["send \(held.sequence) from \(held.sequence)", "send \(held.sequence + 1) from \(held.sequence)"]
        #expect(summary(reply(first)) == ["resolve \(first)"] + freed)
    }

    @Test mutating func aCallThatIsSentAgainSaysWhenItWasSentFirst() {
        func firstSent(_ actions: [CallerChannel.Action]) -> [UInt64] {
            actions.compactMap { if case .send(let frame) = $0 { frame.firstSent } else { nil } }
        }
        _ = submit(.unlimited)
        channel.now = 50
        #expect(firstSent(channel.opened(incarnation: 1, epoch: 1)) == [0])
        channel.now = 70
        let inherited = CallerChannel.Identity(firstSent: 20)
        let child = channel.submit(
            method: "m",
            genericSubstitutions: [],
            arguments: [],
            retries: .unlimited,
            identity: inherited
        )
        #expect(firstSent(child.actions) == [20], "the call that makes it was sent then")
        _ = channel.closed()
        channel.now = 90
        #expect(firstSent(channel.opened(incarnation: 1, epoch: 1)) == [50, 20])
        #expect(firstSent(submit(.unlimited).actions) == [0])
    }

    @Test mutating func `PND-01, PND-03, PND-09: the actor's limit refuses, frees with replies, and ends with death`() {
        channel.maxPendingCalls = 2
        #expect(summary(submit().actions) == ["connect"])
        #expect(submit().actions.isEmpty)
        #expect(summary(submit().actions) == ["fail 3 limitExceeded"])
        _ = channel.opened(incarnation: 1, epoch: 1)
        #expect(summary(submit(.unlimited).actions) == ["fail 4 limitExceeded"])
        #expect(summary(reply(1)) == ["resolve 1"])
        #expect(summary(submit().actions) == ["send 5 from 2"])
        #expect(summary(submit().actions) == ["fail 6 limitExceeded"])
        channel.abandon(2)
        #expect(summary(submit().actions) == ["send 7 from 5"])
        _ = channel.verdict(.unknown)
        for sequence in 8...12 { #expect(summary(submit().actions) == ["fail \(sequence) died"]) }
    }
}
