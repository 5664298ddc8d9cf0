import DurableChaos
import Testing

@Suite("Kill plans")
struct KillPlanTests {
    @Test("the same seed gives the same plan, another seed another one")
    func isRepeatable() {
        let plan = KillPlan(seed: 7, kills: 100, calls: 20_000)
        #expect(plan == KillPlan(seed: 7, kills: 100, calls: 20_000))
        #expect(plan.kills != KillPlan(seed: 8, kills: 100, calls: 20_000).kills)
    }

    @Test("kills come in order, each in its own part of the run", arguments: [1, 2, 3] as [UInt64])
    func isSpread(seed: UInt64) {
        let plan = KillPlan(seed: seed, kills: 50, calls: 1000)
        #expect(plan.kills.count == 50)
        for (index, kill) in plan.kills.enumerated() {
            #expect((index * 20..<(index + 1) * 20).contains(kill.acknowledgedCalls), "seed \(seed)")
        }
    }

    @Test("one in twenty is the supervisor, and at least one", arguments: [(0, 0), (1, 1), (19, 1), (40, 2), (100, 5)])
    func sparesNoSupervisor(kills: Int, supervisors: Int) {
        let plan = KillPlan(seed: 1, kills: kills, calls: 10)
        #expect(plan.count(of: .supervisor) == supervisors)
        #expect(plan.count(of: .worker) == kills - supervisors)
    }

    @Test("the generator gives the published numbers of SplitMix64")
    func isSplitMix64() {
        var generator = SeededGenerator(seed: 1_234_567)
        #expect(generator.next() == 6_457_827_717_110_365_317)
        #expect(generator.next() == 3_203_168_211_198_807_973)
    }
}
