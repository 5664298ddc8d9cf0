import DurableCore
import Testing

struct SnapshotScheduleTests {
    @Test func theFirstWaitsForTheRestOfTheInterval() {
        for (seconds, expected) in [(nil, 60), (0, 60), (20, 40), (60, 0), (1_000_000, 0), (-5, 60)] as [(Int?, Int)] {
            var schedule = SnapshotSchedule(interval: .seconds(60))
            schedule.resume(sinceLast: seconds.map { .seconds($0) }, now: .seconds(7))
            #expect(schedule.committed(now: .seconds(7)) == .seconds(expected), "\(String(describing: seconds))")
        }
    }

    @Test func whileOneIsPendingNoOtherIsBegun() {
        var schedule = SnapshotSchedule(interval: .seconds(60))
        #expect(schedule.committed(now: .zero) == .zero)
        #expect(schedule.committed(now: .seconds(100)) == nil && schedule.isPending)
        schedule.skipped()
        #expect(schedule.committed(now: .seconds(100)) == .zero)
    }

    @Test func theNextWaitsForTheIntervalOrForTwentyTimesTheCopy() {
        for (took, expected) in [(0, 60), (2, 58), (3, 57), (4, 76), (10, 190)] {
            var schedule = SnapshotSchedule(interval: .seconds(60))
            #expect(schedule.committed(now: .seconds(5)) == .zero)
            schedule.ended(begunAt: .seconds(5), now: .seconds(5 + took))
            #expect(schedule.committed(now: .seconds(5 + took)) == .seconds(expected), "it took \(took) s")
        }
    }

    @Test func aShardThatIsOpenedAgainDoesNotGetOneEarlier() {
        var schedule = SnapshotSchedule(interval: .seconds(60))
        _ = schedule.committed(now: .zero)
        schedule.ended(begunAt: .zero, now: .seconds(10))
        schedule.resume(sinceLast: .seconds(60), now: .seconds(10))
        #expect(schedule.committed(now: .seconds(10)) == .seconds(190))
    }
}
