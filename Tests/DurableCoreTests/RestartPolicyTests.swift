import DurableChaos
import DurableCore
import Foundation
import Testing

struct RestartPolicyTests {
    /// Deaths of lives that neither worked nor lasted, with the jitter in the middle.
    private func quickDeaths(_ count: Int, jitter: Double = 0.5) -> [RestartPolicy.Decision] {
        var policy = RestartPolicy(maxRestarts: .unlimited)
        return (0..<count).map { _ in
            policy.died(lifetime: .milliseconds(1), wasProductive: false, now: .zero, jitter: jitter)
        }
    }

    private func seconds(_ decision: RestartPolicy.Decision) -> Double {
        guard case .restart(let delay) = decision else { return 0 }
        return delay / .seconds(1)
    }

    @Test func theFirstRestartIsImmediateAndLaterOnesDoubleFromFiftyMillisecondsToThirtySeconds() {
        let decisions = quickDeaths(14)
        #expect(decisions.first == .restartNow)
        let expected = [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30, 30]
        for (decision, delay) in zip(decisions.dropFirst(), expected) {
            #expect(abs(seconds(decision) - delay) < 1e-9, "\(decision) is not \(delay) s")
        }
    }

    @Test func manyQuickDeathsDoNotOverflowTheDelay() {
        #expect(abs(seconds(quickDeaths(500)[499]) - 30) < 1e-9)
    }

    @Test func theJitterStaysWithinTwentyPercent() {
        for (low, high) in zip(quickDeaths(20, jitter: 0).dropFirst(), quickDeaths(20, jitter: 1).dropFirst()) {
            #expect(abs(seconds(high) / seconds(low) - 1.5) < 1e-9, "1.2 and 0.8 of the same delay")
        }
        #expect(abs(seconds(quickDeaths(2, jitter: 0)[1]) - 0.04) < 1e-9)
        #expect(abs(seconds(quickDeaths(2, jitter: 1)[1]) - 0.06) < 1e-9)
    }

    @Test func productiveOrLongLivesAreNeverDelayed() {
        var productive = RestartPolicy(maxRestarts: .unlimited)
        var long = RestartPolicy(maxRestarts: .unlimited)
        for _ in 0..<1000 {
            #expect(productive.died(lifetime: .zero, wasProductive: true, now: .zero, jitter: 1) == .restartNow)
            #expect(
                long.died(lifetime: Limits.healthyLifetime, wasProductive: false, now: .zero, jitter: 1) == .restartNow
            )
        }
    }

    @Test(arguments: [true, false]) func aGoodLifeEndsARowOfQuickDeaths(isProductive: Bool) {
        var policy = RestartPolicy(maxRestarts: .unlimited)
        func quick() -> RestartPolicy.Decision {
            policy.died(lifetime: .zero, wasProductive: false, now: .zero, jitter: 0.5)
        }
        #expect(
            [quick(), quick(), quick()] == [
                .restartNow, .restart(after: .milliseconds(50)), .restart(after: .milliseconds(100)),
            ]
        )
        let good = policy.died(
            lifetime: .seconds(isProductive ? 0 : 11),
            wasProductive: isProductive,
            now: .zero,
            jitter: 0.5
        )
        #expect(good == .restartNow)
        #expect([quick(), quick()] == [.restartNow, .restart(after: .milliseconds(50))])
    }

    @Test(arguments: [0, 1, 2, 7]) func aBudgetOfNGivesNPlusOneLives(budget: Int) {
        var policy = RestartPolicy(maxRestarts: RepeatLimit(budget))
        var lives = 1
        while policy.died(lifetime: .zero, wasProductive: true, now: .zero, jitter: 0) != .giveUp { lives += 1 }
        #expect(lives == budget + 1)
        #expect(policy.restarts == budget)
        #expect(
            policy.died(lifetime: .zero, wasProductive: true, now: .zero, jitter: 0) == .giveUp,
            "once spent, always spent"
        )
        #expect(policy.restarts == budget)
    }

    @Test func anUnlimitedBudgetIsNeverSpent() {
        var policy = RestartPolicy(maxRestarts: .unlimited)
        for _ in 0..<10_000 {
            #expect(policy.died(lifetime: .zero, wasProductive: true, now: .zero, jitter: 0) == .restartNow)
        }
        #expect(policy.restarts == 10_000)
    }

    /// A policy of an actor that may be restarted so often within ten seconds.
    private func intense(_ restarts: Int, budget: RepeatLimit = .unlimited) -> RestartPolicy {
        var options = ActorOptions(maxRestarts: budget)
        options.restartIntensity = RestartIntensity(restarts: restarts, within: .seconds(10))
        return RestartPolicy(options)
    }

    private func die(_ policy: inout RestartPolicy, at seconds: Double) -> RestartPolicy.Decision {
        policy.died(lifetime: .zero, wasProductive: true, now: .seconds(seconds), jitter: 0)
    }

    @Test(arguments: [1, 2, 7]) func `an intensity of n allows n restarts within its period, and no more`(restarts: Int)
    {
        var policy = intense(restarts)
        let bound = RestartIntensity(restarts: restarts, within: .seconds(10))
        for second in 0..<restarts { #expect(die(&policy, at: Double(second)) == .restartNow) }
        #expect(die(&policy, at: 9.999) == .giveUpFor(bound))
        #expect(policy.restarts == restarts)
    }

    @Test func `the period of an intensity slides: what is older does not count any more`() {
        var policy = intense(2)
        for second in [0.0, 9, 10, 19, 20, 29] { #expect(die(&policy, at: second) == .restartNow, "at \(second) s") }
        #expect(die(&policy, at: 29.5) == .giveUpFor(RestartIntensity(restarts: 2, within: .seconds(10))))
    }

    /// The model keeps all times and counts.
    @Test(arguments: [1, 2, 3] as [UInt64]) func `an intensity agrees with a count of all times`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<200 {
            let most = Int.random(in: 1...5, using: &random)
            var policy = intense(most)
            var times: [Double] = []
            var second = 0.0
            for _ in 0..<100 {
                second += Double.random(in: 0...5, using: &random)
                guard die(&policy, at: second) == .restartNow else { break }
                times.append(second)
            }
            let isOver = times.count < 100
            #expect(!isOver || times.count { second - $0 < 10 } == most, "seed \(seed)")
            for (index, time) in times.enumerated() {
                #expect(times[..<index].count { time - $0 < 10 } < most, "seed \(seed)")
            }
        }
    }

    @Test func `an intensity does not lengthen the budget, and times of another boot do not count`() {
        var policy = intense(5, budget: 1)
        #expect(die(&policy, at: 0) == .restartNow)
        #expect(die(&policy, at: 1) == .giveUp)
        var rebooted = intense(1)
        #expect(die(&rebooted, at: 5000) == .restartNow)
        #expect(die(&rebooted, at: 3) == .restartNow)
    }

    @Test func `an intensity is stored with what was used of it`() throws {
        var policy = intense(2)
        _ = die(&policy, at: 0)
        policy = try JSONDecoder().decode(RestartPolicy.self, from: JSONEncoder().encode(policy))
        #expect(die(&policy, at: 1) == .restartNow)
        #expect(die(&policy, at: 2) == .giveUpFor(RestartIntensity(restarts: 2, within: .seconds(10))))
    }

    @Test func `a back-off of one's own starts, grows and ends where it says`() {
        var options = ActorOptions(maxRestarts: .unlimited)
        options.restartBackOff = RestartBackOff(initial: .seconds(1), factor: 3, limit: .seconds(20))
        var policy = RestartPolicy(options)
        let delays = (0..<6).map { _ in
            seconds(policy.died(lifetime: .zero, wasProductive: false, now: .zero, jitter: 0.5))
        }
        for (delay, expected) in zip(delays, [0.0, 1, 3, 9, 20, 20]) { #expect(abs(delay - expected) < 1e-9) }
        #expect(RestartBackOff(initial: .zero).delay(after: .max) == .zero)
        #expect(RestartBackOff(initial: .seconds(1), factor: 1).delay(after: .max) == .seconds(1))
    }
}
