import DurableCore
import Testing

struct RestartPolicyTests {
    /// Deaths of lives that neither worked nor lasted, with the jitter in the middle.
    private func quickDeaths(_ count: Int, jitter: Double = 0.5) -> [RestartPolicy.Decision] {
        var policy = RestartPolicy(maxRestarts: .unlimited)
        return (0..<count).map { _ in
            policy.died(lifetime: .milliseconds(1), wasProductive: false, jitter: jitter)
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
            #expect(productive.died(lifetime: .zero, wasProductive: true, jitter: 1) == .restartNow)
            #expect(long.died(lifetime: Limits.healthyLifetime, wasProductive: false, jitter: 1) == .restartNow)
        }
    }

    @Test(arguments: [true, false]) func aGoodLifeEndsARowOfQuickDeaths(isProductive: Bool) {
        var policy = RestartPolicy(maxRestarts: .unlimited)
        func quick() -> RestartPolicy.Decision { policy.died(lifetime: .zero, wasProductive: false, jitter: 0.5) }
        #expect(
            [quick(), quick(), quick()] == [
                .restartNow, .restart(after: .milliseconds(50)), .restart(after: .milliseconds(100)),
            ]
        )
        let good = policy.died(lifetime: .seconds(isProductive ? 0 : 11), wasProductive: isProductive, jitter: 0.5)
        #expect(good == .restartNow)
        #expect([quick(), quick()] == [.restartNow, .restart(after: .milliseconds(50))])
    }

    @Test(arguments: [0, 1, 2, 7]) func aBudgetOfNGivesNPlusOneLives(budget: Int) {
        var policy = RestartPolicy(maxRestarts: RepeatLimit(budget))
        var lives = 1
        while policy.died(lifetime: .zero, wasProductive: true, jitter: 0) != .giveUp { lives += 1 }
        #expect(lives == budget + 1)
        #expect(policy.restarts == budget)
        #expect(policy.died(lifetime: .zero, wasProductive: true, jitter: 0) == .giveUp, "once spent, always spent")
        #expect(policy.restarts == budget)
    }

    @Test func anUnlimitedBudgetIsNeverSpent() {
        var policy = RestartPolicy(maxRestarts: .unlimited)
        for _ in 0..<10_000 { #expect(policy.died(lifetime: .zero, wasProductive: true, jitter: 0) == .restartNow) }
        #expect(policy.restarts == 10_000)
    }
}
