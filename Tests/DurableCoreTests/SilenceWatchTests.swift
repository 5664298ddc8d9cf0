import DurableCore
import Testing

struct SilenceWatchTests {
    private func signs(_ thread: UInt64, _ process: UInt64) -> SilenceWatch.Signs {
        SilenceWatch.Signs(thread: thread, process: process)
    }

    /// What is found when both signs are as given each second.
    private func look(_ signs: [SilenceWatch.Signs], _ limit: UnresponsiveLimit, step: Int = 1) -> [DeathCause?] {
        var watch = SilenceWatch()
        return signs.enumerated().map { watch.look($1, limit: limit, now: .seconds($0 * step)) }
    }

    @Test func `a worker is silent from the first look without a new sign, and each sign ends it`() {
        let quiet = Array(repeating: signs(7, 7), count: 8)
        let found = look(quiet, .process(.seconds(5)))
        #expect(
            found == [nil, nil, nil, nil, nil, nil, .stoodStill(limit: .seconds(5)), .stoodStill(limit: .seconds(5))]
        )
        let beating = (0..<100).map { signs(UInt64($0 / 5), UInt64($0 / 5)) }
        #expect(look(beating, .thread(.seconds(5))).allSatisfy { $0 == nil })
        // One that never gave a sign is silent as well.
        #expect(
            look(Array(repeating: signs(0, 0), count: 8), .process(.seconds(5))).last == .stoodStill(limit: .seconds(5))
        )
    }

    @Test func `a thread that is blocked matters where it was asked for only`() {
        let blocked = (0..<20).map { signs(3, UInt64(4 + $0)) }
        #expect(look(blocked, .process(.seconds(5))).allSatisfy { $0 == nil })
        #expect(look(blocked, .thread(.seconds(5))).last == .blocked(limit: .seconds(5)))
        #expect(
            look(Array(repeating: signs(3, 4), count: 20), .thread(.seconds(5))).last == .stoodStill(limit: .seconds(5))
        )
    }

    @Test func `time that the watch itself has slept through does not count`() {
        let quiet = Array(repeating: signs(7, 7), count: 3)
        #expect(look(quiet, .process(.seconds(5)), step: 3600).allSatisfy { $0 == nil })
    }
}
