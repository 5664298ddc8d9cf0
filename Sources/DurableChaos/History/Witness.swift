/// Whether a history is explained by the order in which its actors say that they did the calls.
public enum WitnessVerdict<Model: SequentialModel>: Sendable, CustomStringConvertible {
    /// It is: that order respects the times of the calls, and in it the model gives the answers that callers got.
    case witnessed
    /// It is not, for this reason; these calls of one actor show it.
    case violation(actor: String, reason: String, calls: [CallHistory<Model>.Call])
    /// Nothing is known, for this reason: no success.
    case undecided(actor: String, reason: String)

    /// Whether the history was found in order.
    public var isWitnessed: Bool { if case .witnessed = self { true } else { false } }

    /// The verdict, with the calls of a violation.
    public var description: String {
        switch self {
        case .witnessed: return "witnessed"
        case .undecided(let actor, let reason): return "undecided\(Self.name(actor)): \(reason)"
        case .violation(let actor, let reason, let calls):
            let lines = calls.map { "  \($0)" }.joined(separator: "\n")
            return "not witnessed\(Self.name(actor)): \(reason):\n\(lines)"
        }
    }

    private static func name(_ actor: String) -> String { actor.isEmpty ? "" : ", actor \(actor)" }
}

extension CallHistory {
    /// Checks all calls against the order that the stamps of their answers tell: the actor's own word for when it did
    /// what. Where `linearizability` searches for an order, this one has it but for the few calls that were committed
    /// together, those that were answered from a record, and those of unknown outcome; so it takes n log n steps, and
    /// histories may be long. It finds what a search can miss: an answer of an older state than one that had arrived
    /// before.
    ///
    /// Calls that were recorded by a ``HistoryRecorder`` have stamps. Actors with ``Durability/none`` have no versions:
    /// all calls of a life are searched then.
    /// - Parameters:
    ///   - initial: What each actor is before the first call.
    ///   - stepsMax: After how many tries for one actor it gives up. What is in order takes about one for each call; to
    ///     be sure that it is not can take many when much is unknown.
    public func witness(from initial: Model, stepsMax: Int = 1_000_000) -> WitnessVerdict<Model> {
        let actors = Dictionary(grouping: calls, by: \.actor)
        for (actor, calls) in actors.sorted(by: { $0.key < $1.key }) {
            let calls = calls.filter { $0.outcome != .failed }
            let unstamped = calls.count { $0.isAcknowledged && $0.stamp == nil }
            guard unstamped == 0 else {
                return .undecided(actor: actor, reason: "\(unstamped) answers have no stamp")
            }
            if let (earlier, later) = Self.reversal(in: calls) {
                let reason = "the second call was answered by an older state than the first, which had ended before"
                return .violation(actor: actor, reason: reason, calls: [earlier, later])
            }
            var search = WitnessSearch(calls, stepsMax: stepsMax)
            switch search.run(from: initial) {
            case .found: continue
            case .outOfSteps: return .undecided(actor: actor, reason: "\(stepsMax) steps were not enough")
            case .stuck(let calls, let model):
                let reason = "no order of the last of these calls gives their answers; before them it was \(model)"
                return .violation(actor: actor, reason: reason, calls: calls)
            }
        }
        return .witnessed
    }

    /// Two calls, one after the other, whose stamps go back.
    private static func reversal(in calls: [Call]) -> (Call, Call)? {
        let answered = calls.filter(\.isAcknowledged)
        let byEnd = answered.sorted { ($0.ended ?? .max) < ($1.ended ?? .max) }
        var ended = byEnd.startIndex
        var newest: Call?
        for call in answered.sorted(by: { $0.invoked < $1.invoked }) {
            while ended < byEnd.endIndex, let end = byEnd[ended].ended, end < call.invoked {
                if let stamp = byEnd[ended].stamp, newest?.stamp.map({ $0 < stamp }) ?? true { newest = byEnd[ended] }
                ended += 1
            }
            if let newest, let before = newest.stamp, let stamp = call.stamp, stamp < before { return (newest, call) }
        }
        return nil
    }
}
