import DurableChaos
import Testing

/// What is left of a failing schedule.
@Suite struct ShrinkingTests {
    @Test func `what is left is exactly what is needed, whatever that is`() async {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<300 {
            let list = Array(0..<Int.random(in: 1...40, using: &generator))
            let needed = Set(list.shuffled(using: &generator).prefix(Int.random(in: 0...5, using: &generator)))
            let left = await shrink(list) { needed.isSubset(of: $0) }
            #expect(left == needed.sorted(), "seed \(seed), of \(list.count)")
        }
    }

    @Test func `no single element of what is left can be left out, also when several would do`() async {
        // Any three of the same colour fail.
        func fails(_ list: [Int]) -> Bool { [0, 1].contains { colour in list.count { $0 % 2 == colour } >= 3 } }
        let left = await shrink(Array(0..<50)) { fails($0) }
        #expect(fails(left))
        for index in left.indices {
            var fewer = left
            fewer.remove(at: index)
            #expect(!fails(fewer))
        }
    }

    @Test func `the number of runs is bounded, and the answer still fails`() async {
        var runs = 0
        let left = await shrink(Array(0..<1000), runsMax: 12) {
            runs += 1
            return $0.contains(17) && $0.contains(900)
        }
        #expect(runs <= 12)
        #expect(left.contains(17) && left.contains(900))
    }

    @Test func `the same seed gives the same faults, in order, one in each period`() {
        let chaos: [Chaos] = [.kill(every: .milliseconds(50)), .anything(every: .milliseconds(200))]
        let schedule = ChaosSchedule(chaos, seed: 42)
        let faults = schedule.faults(before: .seconds(10))
        #expect(faults == ChaosSchedule(chaos, seed: 42).faults(before: .seconds(10)))
        #expect(faults != ChaosSchedule(chaos, seed: 43).faults(before: .seconds(10)))
        #expect(faults.map(\.offset) == faults.map(\.offset).sorted())
        #expect(faults.count == 250)
        let alone = ChaosSchedule([.kill(every: .milliseconds(50))], seed: 1).faults(before: .seconds(1))
        for (number, fault) in alone.enumerated() {
            #expect((.milliseconds(number * 50)...(.milliseconds(number * 50 + 50))).contains(fault.offset))
        }
        let unnoticed = ChaosFault.Kind.allCases.filter { ![.failDisk, .fullDisk, .killDriver].contains($0) }
        #expect(Set(faults.map(\.kind)) == Set(unnoticed))
        #expect(ChaosSchedule(faults).faults(before: .seconds(10)) == faults, "a list is itself")
    }
}
