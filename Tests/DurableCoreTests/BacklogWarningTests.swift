import DurableCore
import Testing

struct BacklogWarningTests {
    @Test func `5000 calls are warned of, and each doubling, once each, however often they are reached`() {
        var backlog = BacklogWarning()
        var warnings: [Int] = []
        for _ in 1...3 {
            for count in (1...40_000).map({ $0 }) + (0..<40_000).reversed() {
                if let warning = backlog.grew(to: count) { warnings.append(warning) }
            }
        }
        #expect(warnings == [5000, 10_000, 20_000, 40_000])
    }

    @Test func `fewer than 5000 calls are not warned of`() {
        var backlog = BacklogWarning()
        for _ in 1...10_000 { #expect(backlog.grew(to: 4999) == nil) }
        #expect(backlog.grew(to: 5000) == 5000)
    }
}
