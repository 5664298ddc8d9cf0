import Synchronization

/// Checks each reply as it comes: nobody may see an older state than somebody has seen before the call was made, and no
/// two changes may have the same place.
final class StormWitness: Sendable {
    fileprivate struct State {
        var newest: [StormActor.Seen]
        /// A bit for each version that a call of this process made.
        var made: [[UInt64]]
        var violations: [String] = []
        var issued = 0
        var acknowledged = 0
        /// By stream and actor: the calls made, and those acknowledged.
        var issuedOf: [String: [Int]] = [:]
        var acknowledgedOf: [String: [Int]] = [:]
    }

    private let state: Mutex<State>
    /// Told of each change that is asked for, before it is made, and of each that is answered.
    private let note: @Sendable (_ stream: String, _ actor: Int, _ isAnswered: Bool) -> Void

    init(_ note: @escaping @Sendable (_ stream: String, _ actor: Int, _ isAnswered: Bool) -> Void = { _, _, _ in }) {
        self.note = note
        let count = StormCast.names.count
        state = Mutex(
            State(
                newest: Array(repeating: StormActor.Seen(life: 0, version: 0), count: count),
                made: Array(repeating: [], count: count)
            )
        )
    }

    var acknowledged: Int { state.withLock { $0.acknowledged } }
    var issued: Int { state.withLock { $0.issued } }
    var violations: [String] { state.withLock { $0.violations } }
    var totals: (issued: [String: [Int]], acknowledged: [String: [Int]]) {
        state.withLock { ($0.issuedOf, $0.acknowledgedOf) }
    }

    /// A call is made. Returns its number in its stream, from 1, and what somebody has seen so far; reads have no number.
    func invoke(_ stream: String?, _ actor: Int) -> (number: Int, floor: StormActor.Seen) {
        state.withLock { state in
            state.issued += 1
            guard let stream else { return (0, state.newest[actor]) }
            let none = Array(repeating: 0, count: StormCast.names.count)
            state.issuedOf[stream, default: none][actor] += 1
            note(stream, actor, false)
            return (state.issuedOf[stream]?[actor] ?? 0, state.newest[actor])
        }
    }

    /// It was answered.
    func answered(_ stream: String?, _ actor: Int, _ seen: StormActor.Seen, since floor: StormActor.Seen) {
        state.withLock { state in
            state.acknowledged += 1
            let isNew = stream == nil ? seen.version >= floor.version : seen.version > floor.version
            if !isNew || seen.life < floor.life {
                state.violate("\(StormCast.names[actor]) answered with \(seen) after \(floor) had been seen")
            }
            if let stream {
                let none = Array(repeating: 0, count: StormCast.names.count)
                state.acknowledgedOf[stream, default: none][actor] += 1
                note(stream, actor, true)
                if !state.take(seen.version, actor) {
                    state.violate("\(StormCast.names[actor]) made version \(seen.version) twice")
                }
            }
            if seen.version > state.newest[actor].version { state.newest[actor] = seen }
        }
    }

    /// A call that counts only as one.
    func count(issued: Int = 0, acknowledged: Int = 0) {
        state.withLock { state in
            state.issued += issued
            state.acknowledged += acknowledged
        }
    }

    func violate(_ sentence: String) { state.withLock { $0.violate(sentence) } }
}

extension StormWitness.State {
    fileprivate mutating func violate(_ sentence: String) { if violations.count < 50 { violations.append(sentence) } }

    fileprivate mutating func take(_ version: Int, _ actor: Int) -> Bool {
        guard version > 0 else { return false }
        while made[actor].count <= version / 64 { made[actor].append(0) }
        let bit = UInt64(1) << UInt64(version % 64)
        defer { made[actor][version / 64] |= bit }
        return made[actor][version / 64] & bit == 0
    }
}
