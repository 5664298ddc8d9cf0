import DurableActors
import DurableChaos
import Testing

/// A register that can be added to and read.
private struct Register: SequentialModel {
    enum Operation: Sendable, Hashable, CaseIterable {
        case write, read, add
    }

    var value = 0

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

extension History.Call {
    fileprivate static func done(
        _ operation: Register.Operation,
        _ times: ClosedRange<Int>,
        _ response: Int,
        at version: UInt64,
        life epoch: UInt64 = 1,
        again isRepeated: Bool = false
    ) -> Self {
        Self(
            operation,
            invoked: times.lowerBound,
            ended: times.upperBound,
            .acknowledged(response),
            stamp: ReplyStamp(epoch: epoch, version: version, isRepeated: isRepeated)
        )
    }

    fileprivate static func unknown(_ operation: Register.Operation, from time: Int) -> Self {
        Self(operation, invoked: time, ended: nil, .unknown)
    }
}

/// Histories with stamps whose verdict is known, and many that an actor could have had.
@Suite struct WitnessTests {
    @Test(arguments: [
        ("nothing happened", [History.Call]()),
        ("one commit after the other", [.done(.add, 1...2, 1, at: 1), .done(.add, 3...4, 2, at: 2)]),
        ("overlapping, in the other order", [.done(.add, 1...4, 2, at: 2), .done(.add, 2...3, 1, at: 1)]),
        ("one commit, any order", [.done(.add, 1...6, 2, at: 1), .done(.add, 2...5, 1, at: 1)]),
        ("a read with the change before it", [.done(.add, 1...2, 1, at: 1), .done(.read, 3...4, 1, at: 1)]),
        (
            "a read in the middle of a commit",
            [.done(.add, 1...8, 1, at: 1), .done(.read, 2...7, 1, at: 1), .done(.add, 3...6, 2, at: 1)]
        ),
        (
            "answered from the record, later than it was done",
            [
                .done(.add, 1...9, 1, at: 3, life: 2, again: true), .done(.add, 2...3, 2, at: 2),
                .done(.add, 4...5, 3, at: 3, life: 2),
            ]
        ),
        ("an unknown call happened", [.unknown(.add, from: 1), .done(.add, 2...3, 2, at: 2)]),
        ("an unknown call did not happen", [.unknown(.add, from: 1), .done(.add, 2...3, 1, at: 1)]),
        (
            "an unknown call happened before a commit that shows nothing of it",
            [.unknown(.write, from: 1), .done(.add, 2...3, 8, at: 2), .done(.read, 4...5, 8, at: 2)]
        ),
        ("a failed call", [History.Call(.add, invoked: 1, ended: 2, .failed), .done(.read, 3...4, 0, at: 0)]),
    ])
    private func `good histories are witnessed`(name: String, calls: [History.Call]) {
        let verdict = History(calls).witness(from: Register())
        #expect(verdict.isWitnessed, "\(name): \(verdict)")
    }

    @Test(
        arguments: [
            ("lost", [History.Call.done(.add, 1...2, 1, at: 1), .done(.read, 3...4, 0, at: 1)]),
            ("doubled", [.done(.add, 1...2, 1, at: 1), .done(.read, 3...4, 2, at: 2)]),
            (
                "an older state than one that had been seen",
                [.done(.read, 1...2, 0, at: 5), .done(.read, 3...4, 0, at: 4)]
            ),
            ("an earlier life", [.done(.read, 1...2, 0, at: 5, life: 2), .done(.read, 3...4, 0, at: 6, life: 1)]),
            // A search over times alone would take the second first.
            ("the order of commits is another one", [.done(.add, 1...4, 2, at: 1), .done(.add, 2...3, 1, at: 2)]),
            ("an unknown call twice", [.unknown(.add, from: 1), .done(.read, 2...3, 2, at: 2)]),
            ("an unknown call before it came", [.done(.read, 1...2, 1, at: 1), .unknown(.add, from: 3)]),
            (
                "from the record, and done again",
                [.done(.add, 1...9, 1, at: 3, life: 2, again: true), .done(.add, 4...5, 3, at: 3, life: 2)]
            ),
        ] as [(String, [History.Call])]
    )
    private func `bad histories are not`(name: String, calls: [History.Call]) {
        let verdict = History(calls).witness(from: Register())
        guard case .violation = verdict else {
            Issue.record("\(name): \(verdict)")
            return
        }
    }

    @Test func `answers without stamps are undecided, and so is what takes too many steps`() {
        let bare = History([History.Call(.add, invoked: 1, ended: 2, .acknowledged(1))])
        #expect(!bare.witness(from: Register()).isWitnessed)
        #expect("\(bare.witness(from: Register()))".contains("1 answers have no stamp"))
        let many = History((1...40).map { .done(.add, $0...(100 + $0), 50, at: 1) })
        #expect("\(many.witness(from: Register(), stepsMax: 10))".contains("10 steps were not enough"))
    }

    @Test func `what an actor could have answered is witnessed, and no altered answer is`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(seed: seed)
        var found = 0
        for _ in 0..<300 {
            let calls = Self.played(&generator, count: Int.random(in: 1...40, using: &generator))
            let sound = History(calls).witness(from: Register())
            #expect(sound.isWitnessed, "seed \(seed): \(sound)")
            #expect(History(calls).linearizability(from: Register()).isLinearizable, "seed \(seed)")
            let answered = calls.indices.filter { calls[$0].stamp != nil }
            guard let victim = answered.randomElement(using: &generator) else { continue }
            var altered = calls
            // No call gives a negative answer.
            altered[victim].outcome = .acknowledged(-1)
            // To be sure that no order does takes long when much is unknown: then it is undecided, which is no success.
            let verdict = History(altered).witness(from: Register(), stepsMax: 5000)
            #expect(!verdict.isWitnessed, "seed \(seed): \(altered)")
            if case .violation = verdict { found += 1 }
        }
        #expect(found > 50, "seed \(seed): most are decided, \(found) of 300")
    }

    @Test func `a long history takes steps in proportion`() {
        var generator = SeededGenerator(seed: 1)
        let calls = Self.played(&generator, count: 20_000, unknownIn: 1000)
        #expect(History(calls).witness(from: Register(), stepsMax: 400_000).isWitnessed)
    }

    /// Calls as an actor does them that commits some together, dies now and then, and whose replies get lost.
    private static func played(_ generator: inout SeededGenerator, count: Int, unknownIn: Int = 8) -> [History.Call] {
        var (model, epoch, version, time) = (Register(), UInt64(1), UInt64(0), 0)
        var calls: [History.Call] = []
        while calls.count < count {
            if Int.random(in: 0..<10, using: &generator) == 0 { epoch += 1 }
            version += 1
            let size = Int.random(in: 1...3, using: &generator)
            // They overlap with each other; those of one commit end after all of them were invoked.
            var group: [(Register.Operation, invoked: Int, Int)] = []
            for _ in 0..<size {
                time += 1
                group.append((Register.Operation.allCases.randomElement(using: &generator) ?? .read, time, 0))
            }
            for place in group.indices.shuffled(using: &generator) { group[place].2 = model.apply(group[place].0) }
            for (operation, invoked, response) in group {
                time += 1
                if Int.random(in: 0..<unknownIn, using: &generator) == 0 {
                    calls.append(.unknown(operation, from: invoked))
                } else {
                    let again = Int.random(in: 0..<6, using: &generator) == 0
                    let stamp = ReplyStamp(epoch: epoch, version: version, isRepeated: again)
                    calls.append(
                        History.Call(operation, invoked: invoked, ended: time, .acknowledged(response), stamp: stamp)
                    )
                }
            }
        }
        return calls
    }
}

/// The ready-made checks.
@Suite struct AcknowledgedTests {
    private struct Lost: Error {}
    private struct Refused: Error {}

    @Test func `changes that are lost, doubled or foreign are named, and unknown ones may be there or not`()
        async throws
    {
        let changes = AcknowledgedChanges<String> { $0 is Refused }
        try await changes.record("a") {}
        try await changes.record("b") {}
        await #expect(throws: Lost.self) { try await changes.record("c") { throw Lost() } }
        await #expect(throws: Refused.self) { try await changes.record("d") { throw Refused() } }
        #expect(changes.count == 2)
        try changes.verify(["b", "a"])
        try changes.verify(["a", "c", "b"])
        for (present, problem) in [
            (["a"], "b was acknowledged and is lost"), (["a", "b", "b"], "b is there 2 times"),
            (["a", "b", "c", "c"], "c is there 2 times"), (["a", "b", "d"], "d has certainly failed and is there"),
            (["a", "b", "e"], "e is there, and nobody has asked for it"),
        ] {
            let error = #expect(throws: BrokenPromises.self) { try changes.verify(present) }
            #expect(error?.problems == [problem])
        }
    }

    @Test func `a total has each acknowledged amount once and each unknown one at most once`() async throws {
        let sums = AcknowledgedSums()
        try await sums.record(5) {}
        try await sums.record(-2) {}
        await #expect(throws: Lost.self) { try await sums.record(10) { throw Lost() } }
        await #expect(throws: Lost.self) { try await sums.record(-4) { throw Lost() } }
        for total in [3, 13, -1, 9] { try sums.verify(total) }
        for (total, deed) in [(-2, "some were lost"), (14, "some were added twice"), (5, "no choice of them fits")] {
            let error = #expect(throws: BrokenPromises.self) { try sums.verify(total) }
            #expect("\(error.map(\.description) ?? "")".contains(deed))
        }
        try sums.verify(7, of: "another", from: 7)
        try AcknowledgedSums.verifyConserved([3, 4, -1], total: 6)
        let error = #expect(throws: BrokenPromises.self) { try AcknowledgedSums.verifyConserved([3, 4], total: 6) }
        #expect(error?.problems == ["all accounts together have 7, and had 6: 1 came from nowhere"])
    }
}
