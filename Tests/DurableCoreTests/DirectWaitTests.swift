import DurableCore
import Testing

/// Which calls wait for their answers on the caller's thread.
@Suite struct DirectWaitTests {
    private let fast = DirectWait.nanosecondsMax
    private let slow = DirectWait.nanosecondsMax + 1

    /// How many calls are made before one waits directly again.
    private func skipped(_ wait: inout DirectWait) -> Int {
        var count = 0
        while !wait.begins() { count += 1 }
        return count
    }

    @Test func `fast answers are always waited for`() {
        var wait = DirectWait()
        for _ in 0..<1000 {
            let begins = wait.begins()
            #expect(begins)
            wait.ended(after: fast)
        }
    }

    @Test func `each slow answer makes more calls wait as usual, up to a bound`() {
        var wait = DirectWait()
        var skips: [Int] = []
        for _ in 0..<15 {
            wait.ended(after: slow)
            skips.append(skipped(&wait))
        }
        #expect(skips == [4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 4096, 4096, 4096, 4096])
    }

    @Test func `a row of fast answers is trusted again, a few are not`() {
        for (successes, expected) in [(15, 16), (16, 4)] {
            var wait = DirectWait()
            for _ in 0..<2 {
                wait.ended(after: slow)
                _ = skipped(&wait)
            }
            for _ in 0..<successes { wait.ended(after: fast) }
            wait.ended(after: slow)
            #expect(skipped(&wait) == expected, "\(successes)")
        }
    }
}
