/// Whether a history can be explained by calls that happened one at a time.
public enum Linearizability<Model: SequentialModel>: Sendable, CustomStringConvertible {
    /// It can: each actor's calls have an order that respects their times and in which the model gives the same answers.
    case linearizable
    /// It cannot. These calls of one actor are the smallest beginning of its history that cannot be explained: without
    /// the end of the last of them it could. Those that were open then are `unknown`.
    case violation(actor: String, prefix: [CallHistory<Model>.Call])
    /// It would take more steps than were allowed: this says neither the one nor the other, and is no success.
    case undecided(actor: String, steps: Int)

    /// Whether the history was found in order.
    public var isLinearizable: Bool { if case .linearizable = self { true } else { false } }

    /// The verdict, with the calls of a violation.
    public var description: String {
        switch self {
        case .linearizable: return "linearizable"
        case .undecided(let actor, let steps): return "undecided after \(steps) steps\(Self.name(actor))"
        case .violation(let actor, let prefix):
            let calls = prefix.map { "  \($0)" }.joined(separator: "\n")
            return "not linearizable\(Self.name(actor)); no order explains these \(prefix.count) calls:\n\(calls)"
        }
    }

    private static func name(_ actor: String) -> String { actor.isEmpty ? "" : ", actor \(actor)" }
}

extension CallHistory {
    /// Looks for an order of the calls that respects their times and in which the model gives the answers that callers
    /// got. Actors are independent of each other. A call of unknown outcome may have happened or not, with any answer;
    /// one that failed has not happened.
    /// - Parameters:
    ///   - initial: What each actor is before the first call.
    ///   - stepsMax: After how many tries for one actor it gives up. The effort can be exponential in the calls that
    ///     overlap.
    public func linearizability(from initial: Model, stepsMax: Int = 1_000_000) -> Linearizability<Model> {
        let actors = Dictionary(grouping: calls, by: \.actor)
        for (actor, calls) in actors.sorted(by: { $0.key < $1.key }) {
            var steps = stepsMax
            switch Linearization(calls).explains(initial, &steps) {
            case true?: continue
            case nil: return .undecided(actor: actor, steps: stepsMax)
            case false?: return .violation(actor: actor, prefix: Self.smallest(calls, initial, stepsMax))
            }
        }
        return .linearizable
    }

    /// What holds of a history holds of each of its beginnings, so that the first bad one is found by halving.
    private static func smallest(_ calls: [Call], _ initial: Model, _ stepsMax: Int) -> [Call] {
        let ends = calls.filter(\.isAcknowledged).compactMap(\.ended).sorted()
        var (good, bad) = (-1, ends.count - 1)
        while bad - good > 1 {
            let middle = (good + bad) / 2
            var steps = stepsMax
            // What is not decided is not claimed to be bad.
            let isBad = Linearization(beginning(calls, ends[middle])).explains(initial, &steps) == false
            if isBad { bad = middle } else { good = middle }
        }
        return beginning(calls, ends[bad])
    }

    /// What was known at a time.
    private static func beginning(_ calls: [Call], _ time: Int) -> [Call] {
        calls.filter { $0.invoked < time }.map { call in
            guard let ended = call.ended, ended > time, call.outcome != .failed else { return call }
            var open = call
            open.ended = nil
            open.outcome = .unknown
            return open
        }
    }
}

extension CallHistory.Call {
    var isAcknowledged: Bool { if case .acknowledged = outcome { true } else { false } }
}

/// The search of Wing and Gong, with Lowe's memory of configurations that have been tried.
private struct Linearization<Model: SequentialModel> {
    private struct Event {
        var call: Int
        var isInvocation: Bool
        var time: Int
    }

    private struct Configuration: Hashable {
        var done: [UInt64]
        var model: Model

        /// Does a call; `nil` when its caller cannot have got that.
        func after(_ number: Int, _ call: CallHistory<Model>.Call) -> Self? {
            var after = self
            guard after.model.gives(call) else { return nil }
            after.done[number / 64] |= 1 << UInt64(number % 64)
            return after
        }
    }

    private let calls: [CallHistory<Model>.Call]
    /// The events in their order, linked, with a head in front: 0, then event 1 and so on.
    private var next: [Int]
    private var previous: [Int]
    private var events: [Event]
    /// Where the end of each call is among the events; 0 for those without.
    private var endOf: [Int]
    private let acknowledged: Int

    init(_ all: [CallHistory<Model>.Call]) {
        calls = all.filter { $0.outcome != .failed }
        var events: [Event] = []
        for (number, call) in calls.enumerated() {
            events.append(Event(call: number, isInvocation: true, time: call.invoked))
            // A call of unknown outcome may happen at any later time.
            if call.isAcknowledged, let ended = call.ended {
                events.append(Event(call: number, isInvocation: false, time: ended))
            }
        }
        events.sort { ($0.time, $0.isInvocation ? 0 : 1) < ($1.time, $1.isInvocation ? 0 : 1) }
        acknowledged = calls.count(where: \.isAcknowledged)
        endOf = Array(repeating: 0, count: calls.count)
        for (place, event) in events.enumerated() where !event.isInvocation { endOf[event.call] = place + 1 }
        self.events = [Event(call: -1, isInvocation: false, time: .min)] + events
        next = Array(1...events.count + 1)
        previous = Array(-1..<events.count)
    }

    /// Whether there is an order; `nil` when the steps are used up.
    mutating func decide(_ initial: Model, _ steps: inout Int) -> Bool? {
        var configuration = Configuration(done: Array(repeating: 0, count: calls.count / 64 + 1), model: initial)
        var tried: Set<Configuration> = [configuration]
        var stack: [(event: Int, before: Configuration)] = []
        var remaining = acknowledged
        var place = next[0]
        while remaining > 0 {
            guard steps > 0 else { return nil }
            steps -= 1
            if place < events.count, events[place].isInvocation {
                let call = calls[events[place].call]
                if let after = configuration.after(events[place].call, call), tried.insert(after).inserted {
                    stack.append((place, configuration))
                    configuration = after
                    if call.isAcknowledged { remaining -= 1 }
                    lift(place)
                    place = next[0]
                } else {
                    place = next[place]
                }
                continue
            }
            // The end of a call that has not happened yet: what was chosen before was wrong.
            guard let (event, before) = stack.popLast() else { return false }
            configuration = before
            if calls[events[event].call].isAcknowledged { remaining += 1 }
            unlift(event)
            place = next[event]
        }
        return true
    }

    func explains(_ initial: Model, _ steps: inout Int) -> Bool? {
        var search = self
        return search.decide(initial, &steps)
    }

    private mutating func lift(_ event: Int) {
        unlink(event)
        let end = endOf[events[event].call]
        if end > 0 { unlink(end) }
    }

    /// In the reverse order of `lift`, as it has to be.
    private mutating func unlift(_ event: Int) {
        let end = endOf[events[event].call]
        if end > 0 { link(end) }
        link(event)
    }

    private mutating func unlink(_ event: Int) {
        next[previous[event]] = next[event]
        if next[event] < events.count { previous[next[event]] = previous[event] }
    }

    private mutating func link(_ event: Int) {
        next[previous[event]] = event
        if next[event] < events.count { previous[next[event]] = event }
    }
}

extension SequentialModel {
    /// Does what the call does. Whether its caller may have got that.
    mutating func gives(_ call: CallHistory<Self>.Call) -> Bool {
        let response = apply(call.operation)
        return switch call.outcome {
        case .acknowledged(let seen): seen == response
        case .unknown: true
        case .failed: false
        }
    }
}
