internal import DurableCore
internal import Synchronization

/// The calls that a run makes of something that may be run again: each has a key, the same in each run.
final class ChildCalls: Sendable {
    private struct State {
        var numbers: [CallKey: UInt64] = [:]
        var open = 0
        var needsRecord = false
        var released: [ActorID: [CallKey]] = [:]
        var isEnded = false
    }

    private let state = Mutex(State())

    /// A call is made.
    /// - Parameters:
    ///   - actor: The actor that is called.
    ///   - retentionMilliseconds: How long its record is kept, if nobody releases it before.
    ///   - firstSent: When what makes it was first sent, if that may be running again; 0 otherwise.
    ///   - key: The key of the call, given how many of exactly its kind were made before.
    /// - Returns: `nil` when the run has ended: what comes later is no part of it.
    func begin(
        of actor: ActorID,
        retentionMilliseconds: UInt64,
        firstSent: UInt64,
        key: (UInt64) -> CallKey
    ) -> ChildCall? {
        let kind = key(0)
        let number = state.withLock { state -> UInt64? in
            guard !state.isEnded else { return nil }
            state.open += 1
            defer { state.numbers[kind, default: 0] += 1 }
            return state.numbers[kind, default: 0]
        }
        guard let number else { return nil }
        let deduplication = Deduplication(
            number == 0 ? kind : key(number),
            retentionMilliseconds: retentionMilliseconds,
            isExplicit: false
        )
        let identity = CallerChannel.Identity(deduplication: deduplication, firstSent: firstSent)
        return ChildCall(calls: self, actor: actor, identity: identity)
    }

    fileprivate func ended(_ child: ChildCall, isRecorded: Bool?) {
        state.withLock { state in
            state.open -= 1
            if isRecorded != false { state.needsRecord = true }
            guard isRecorded == true, let key = child.identity.deduplication?.key else { return }
            state.released[child.actor, default: []].append(key)
        }
    }

    /// The run is over. Says whether it must leave a record because of its calls, and which of their records are needed
    /// no more when it is not run again.
    func end() -> (needsRecord: Bool, released: [ActorID: [CallKey]]) {
        state.withLock { state in
            state.isEnded = true
            return (state.needsRecord || state.open > 0, state.released)
        }
    }
}

/// A call with such a key.
struct ChildCall: Sendable {
    fileprivate let calls: ChildCalls
    fileprivate let actor: ActorID
    let identity: CallerChannel.Identity

    /// It was answered.
    func ended(isRecorded: Bool) { calls.ended(self, isRecorded: isRecorded) }

    /// It failed, or nobody waits for it any more: it may have left a record, and may yet.
    func endedUnknown() { calls.ended(self, isRecorded: nil) }
}
