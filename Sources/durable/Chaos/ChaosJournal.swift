internal import Synchronization

/// What clients know of what they did: one numbered list for each client and place.
final class ChaosJournal: Sendable {
    /// Whose list it is.
    struct Key: Hashable, Comparable, Sendable, CustomStringConvertible {
        var client: Int
        /// The actor, by its number, where a client has a list for each.
        var place: Int

        var description: String { "client \(client + 1)" }

        static func < (one: Self, other: Self) -> Bool { (one.place, one.client) < (other.place, other.client) }
    }

    private enum State: UInt8 { case open, done, undone, unknown }

    private struct Deed {
        var state = State.open
        /// When its answer came, in milliseconds since the start.
        var time: UInt32 = 0
    }

    private let lists = Mutex<[Key: [Deed]]>([:])

    /// The next thing that a client does. Returns its number, from 1.
    func begin(_ key: Key) -> Int {
        lists.withLock { lists in
            lists[key, default: []].append(Deed())
            return lists[key]?.count ?? 0
        }
    }

    /// It was answered, or not.
    /// - Parameter isDone: Whether an answer means that something was done; what was refused has not happened.
    func end<Value>(
        _ key: Key,
        _ number: Int,
        _ outcome: ChaosTraffic.Outcome<Value>,
        at time: Duration,
        isDone: (Value) -> Bool = { _ in true }
    ) {
        let state: State =
            switch outcome {
            case .acknowledged(let value): isDone(value) ? .done : .undone
            case .failed: .undone
            case .unknown: .unknown
            }
        let milliseconds = UInt32(clamping: Int(time / .milliseconds(1)))
        lists.withLock { $0[key]?[number - 1] = Deed(state: state, time: milliseconds) }
    }

    /// All lists that were begun.
    var keys: [Key] { lists.withLock { $0.keys.sorted() } }

    /// Compares a list with what is there.
    /// - Parameters:
    ///   - found: The numbers that are there, in the order in which they are there.
    ///   - excused: Numbers that need not be there although they were done.
    ///   - whole: What to call the thing, as in `entry`.
    func compare(
        _ key: Key,
        _ found: [Int],
        excused: Set<Int> = [],
        whole: String,
        in place: String,
        _ result: inout ChaosComparison
    ) {
        let deeds = lists.withLock { $0[key] ?? [] }
        func title(_ number: Int) -> String { "\(whole) \(number) of \(key) \(place)" }
        var counts: [Int: Int] = [:]
        var last = 0
        for number in found {
            counts[number, default: 0] += 1
            if number < last {
                result.order.append(.init("\(title(number)) stands behind \(last)", Self.time(deeds, number)))
            }
            last = max(last, number)
        }
        for (number, count) in counts.sorted(by: { $0.key < $1.key }) {
            guard number >= 1, number <= deeds.count, deeds[number - 1].state != .undone else {
                result.foreign.append(.init("\(title(number)) is there and was never made", nil))
                continue
            }
            if count > 1 {
                result.doubled.append(.init("\(title(number)) is there \(count) times", Self.time(deeds, number)))
            }
        }
        for (index, deed) in deeds.enumerated() where deed.state == .done {
            result.done += 1
            if counts[index + 1] == nil, !excused.contains(index + 1) {
                result.lost.append(.init("\(title(index + 1)) is missing", Self.time(deeds, index + 1)))
            }
        }
    }

    private static func time(_ deeds: [Deed], _ number: Int) -> Duration? {
        guard (1...max(1, deeds.count)).contains(number), !deeds.isEmpty else { return nil }
        return .milliseconds(Int64(deeds[number - 1].time))
    }
}

/// What differs between what clients know and what is there.
struct ChaosComparison: Sendable {
    /// One difference, and when what it is about was acknowledged.
    struct Difference: Sendable, Hashable {
        var text: String
        var time: Duration?

        init(_ text: String, _ time: Duration?) {
            self.text = text
            self.time = time
        }
    }

    /// How many things were acknowledged.
    var done = 0
    var lost: [Difference] = []
    var doubled: [Difference] = []
    var order: [Difference] = []
    var foreign: [Difference] = []
}
