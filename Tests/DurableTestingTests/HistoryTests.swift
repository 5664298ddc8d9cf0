import DurableActors
import DurableChaos
import Synchronization
import Testing

/// A register that can be added to.
private struct Register: SequentialModel {
    enum Operation: Sendable, CaseIterable {
        case write, read, add
    }

    var value = 0

    /// A write is of 7, an addition of 1.
    mutating func apply(_ operation: Operation) -> Int {
        switch operation {
        case .write: value = 7
        case .add: value += 1
        case .read: break
        }
        return value
    }
}

private typealias History = CallHistory<Register>

extension CallHistory<Register>.Call {
    fileprivate static func done(_ operation: Register.Operation, _ times: ClosedRange<Int>, _ response: Int) -> Self {
        Self(operation, invoked: times.lowerBound, ended: times.upperBound, .acknowledged(response))
    }

    fileprivate static func unknown(_ operation: Register.Operation, from time: Int) -> Self {
        Self(operation, invoked: time, ended: nil, .unknown)
    }
}

/// Histories whose verdict is known, and many small ones against a search that is too simple to be wrong.
@Suite struct HistoryTests {
    @Test(arguments: [
        ("nothing happened", [History.Call]()),
        ("one after the other", [.done(.add, 1...2, 1), .done(.add, 3...4, 2), .done(.read, 5...6, 2)]),
        ("overlapping, in the other order", [.done(.add, 1...4, 2), .done(.add, 2...3, 1)]),
        (
            "a read beside a write sees either",
            [.done(.write, 1...6, 7), .done(.read, 2...3, 0), .done(.read, 4...5, 7)]
        ),
        ("an unknown call happened", [.unknown(.add, from: 1), .done(.add, 2...3, 2)]),
        ("an unknown call did not happen", [.unknown(.add, from: 1), .done(.add, 2...3, 1)]),
        ("an unknown call happened late", [.unknown(.add, from: 1), .done(.read, 2...3, 0), .done(.read, 4...5, 1)]),
        ("a failed call did not happen", [History.Call(.add, invoked: 1, ended: 2, .failed), .done(.read, 3...4, 0)]),
    ])
    private func `good histories are found good`(name: String, calls: [History.Call]) {
        let verdict = History(calls).linearizability(from: Register())
        #expect(verdict.isLinearizable, "\(name): \(verdict)")
    }

    @Test(
        arguments: [
            ("a lost update", [.done(.add, 1...2, 1), .done(.read, 3...4, 0)], 2),
            ("a doubled update", [.done(.add, 1...2, 1), .done(.read, 3...4, 2), .done(.read, 5...6, 2)], 2),
            ("two got the same", [.done(.add, 1...4, 1), .done(.add, 2...3, 1)], 2),
            (
                "a stale read after a new one",
                [.done(.write, 1...8, 7), .done(.read, 2...3, 7), .done(.read, 4...5, 0)], 3
            ),
            ("an unknown call happened twice", [.unknown(.add, from: 1), .done(.read, 2...3, 2)], 2),
            ("an unknown call happened before it came", [.done(.read, 1...2, 1), .unknown(.add, from: 3)], 1),
            (
                "a failed call happened",
                [History.Call(.add, invoked: 1, ended: 2, .failed), .done(.read, 3...4, 1)], 2
            ),
            ("read what was taken back", [.unknown(.add, from: 1), .done(.read, 2...3, 1), .done(.read, 4...5, 0)], 3),
        ] as [(String, [History.Call], Int)]
    )
    private func `bad histories are found bad, with the smallest beginning that is`(
        name: String,
        calls: [History.Call],
        count: Int
    ) {
        let verdict = History(calls).linearizability(from: Register())
        guard case .violation(_, let prefix) = verdict else {
            Issue.record("\(name): \(verdict)")
            return
        }
        #expect(prefix.count == count, "\(name): \(verdict)")
    }

    @Test func `actors are judged by themselves, and the bad one is named`() {
        var calls = (0..<20).map {
            History.Call(actor: "good", .add, invoked: $0 * 2, ended: $0 * 2 + 1, .acknowledged($0 + 1))
        }
        #expect(History(calls).linearizability(from: Register()).isLinearizable)
        calls.append(History.Call(actor: "bad", .read, invoked: 50, ended: 51, .acknowledged(20)))
        let verdict = History(calls).linearizability(from: Register())
        guard case .violation("bad", let prefix) = verdict else {
            Issue.record("\(verdict)")
            return
        }
        #expect(prefix.count == 1)
        #expect("\(verdict)".contains("[50, 51] bad: read -> 20"), "\(verdict)")
    }

    @Test func `what takes too many steps is undecided, and that is no success`() {
        // All overlap, and the last answer is impossible: every order would have to be tried.
        var calls = (1...12).map { History.Call(.add, invoked: $0, ended: 100 + $0, .acknowledged($0)) }
        calls.append(History.Call(.read, invoked: 50, ended: 99, .acknowledged(77)))
        let verdict = History(calls).linearizability(from: Register(), stepsMax: 10)
        guard case .undecided(_, steps: 10) = verdict else {
            Issue.record("\(verdict)")
            return
        }
        #expect(!verdict.isLinearizable)
    }

    @Test func `verdicts are those of trying every order, and the beginning is the smallest`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(seed: seed)
        var (good, bad) = (0, 0)
        for _ in 0..<1500 {
            let history = Self.random(&generator)
            let verdict = history.linearizability(from: Register())
            let expected = Self.isExplained(history.calls)
            #expect(verdict.isLinearizable == expected, "seed \(seed): \(history.calls)")
            guard case .violation(_, let prefix) = verdict else {
                good += 1
                continue
            }
            bad += 1
            #expect(!Self.isExplained(prefix), "seed \(seed): \(prefix)")
            #expect(Self.isExplained(Self.withoutLastEnd(prefix)), "seed \(seed): \(prefix)")
        }
        #expect(good > 100 && bad > 100, "both happen")
    }

    @Test func `calls are recorded as their callers saw them`() async throws {
        struct Lost: Error {}
        struct Refused: Error {}
        let recorder = HistoryRecorder<Register> { $0 is Refused }
        #expect(try await recorder.record(.add) { 1 } == 1)
        await #expect(throws: Lost.self) { try await recorder.record(.add) { throw Lost() } }
        await #expect(throws: Refused.self) { try await recorder.record(.write) { throw Refused() } }
        let during = Mutex<History?>(nil)
        try await recorder.record(.read) {
            during.withLock { $0 = recorder.history }
            return 2
        }
        let history = recorder.history
        #expect(history.calls.map(\.outcome) == [.acknowledged(1), .unknown, .failed, .acknowledged(2)])
        #expect(history.calls.map(\.invoked) == [1, 3, 5, 7])
        #expect(history.calls.compactMap(\.ended) == [2, 4, 6, 8])
        let open = during.withLock { $0?.calls.last }
        #expect(open?.outcome == .unknown && open?.ended == nil)
        #expect(history.linearizability(from: Register()).isLinearizable)
    }
}

extension HistoryTests {
    private static func random(_ generator: inout SeededGenerator) -> History {
        let count = Int.random(in: 1...6, using: &generator)
        var times = Array(1...2 * count).shuffled(using: &generator)
        return History(
            (0..<count).map { _ in
                let (first, second) = (times.removeLast(), times.removeLast())
                let operation = Register.Operation.allCases[Int.random(in: 0..<3, using: &generator)]
                let outcome: History.Outcome =
                    switch Int.random(in: 0..<10, using: &generator) {
                    case 0: .failed
                    case 1, 2: .unknown
                    default:
                        .acknowledged(operation == .write ? 7 : [0, 1, 2, 7, 8].randomElement(using: &generator) ?? 0)
                    }
                return History.Call(operation, invoked: min(first, second), ended: max(first, second), outcome)
            }
        )
    }

    /// Tries every order.
    private static func isExplained(_ all: [History.Call]) -> Bool {
        let calls = all.filter { $0.outcome != .failed }
        func goesOn(_ done: Set<Int>, _ model: Register) -> Bool {
            let open = calls.indices.filter { !done.contains($0) }
            if open.allSatisfy({ calls[$0].outcome == .unknown }) { return true }
            return open.contains { number in
                let call = calls[number]
                let isTooEarly = open.contains { other in
                    calls[other].outcome != .unknown && (calls[other].ended ?? .max) < call.invoked
                }
                var next = model
                let response = next.apply(call.operation)
                guard !isTooEarly, call.outcome == .unknown || call.outcome == .acknowledged(response) else {
                    return false
                }
                return goesOn(done.union([number]), next)
            }
        }
        return goesOn([], Register())
    }

    private static func withoutLastEnd(_ calls: [History.Call]) -> [History.Call] {
        let ends = calls.filter { $0.outcome != .unknown && $0.outcome != .failed }.compactMap(\.ended)
        return calls.map { call in
            guard call.ended == ends.max() else { return call }
            return History.Call(call.operation, invoked: call.invoked, ended: nil, .unknown)
        }
    }
}
