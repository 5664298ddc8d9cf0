import DurableCore
import Testing

struct ShardClockTests {
    private func reading(_ boot: UInt64, _ sinceStart: UInt64, _ wall: Int64) -> ClockReading {
        ClockReading(boot: BootID(high: 0, low: boot), bootMilliseconds: sinceStart, wallMilliseconds: wall)
    }

    @Test func `within a run of the machine the time of day changes nothing`() {
        var clock = ShardClock(at: reading(1, 500, 1_000_000))
        #expect(clock.milliseconds == 0)
        #expect(clock.advance(to: reading(1, 600, 1_000_100)) == 100)
        #expect(clock.advance(to: reading(1, 700, 9_000_000_000)) == 200, "a jump forward")
        #expect(clock.advance(to: reading(1, 800, -5)) == 300, "a jump back")
        #expect(clock.advance(to: reading(1, 800, 0)) == 300)
    }

    @Test func `over a restart of the machine it goes on by the time of day, and never back`() {
        var clock = ShardClock(milliseconds: 40, at: reading(1, 90_000, 1_000_000))
        #expect(clock.advance(to: reading(2, 10, 1_060_000)) == 60_040)
        #expect(clock.advance(to: reading(2, 15, 0)) == 60_045)
        #expect(clock.advance(to: reading(3, 10, -100)) == 60_045, "the time of day was lost")
        #expect(clock.advance(to: reading(3, 30, 1_000_000)) == 60_065, "and found again")
        #expect(clock.advance(to: reading(4, 1, 1_000_001)) == 60_066)
    }

    @Test func `a clock that goes back stands still, and goes on from there`() {
        var clock = ShardClock(at: reading(1, 500, 0))
        #expect(clock.advance(to: reading(1, 400, 0)) == 0)
        #expect(clock.advance(to: reading(1, 450, 0)) == 50)
    }

    @Test func `the largest readings do not overflow`() {
        var clock = ShardClock(milliseconds: .max - 1, at: reading(1, 0, .min))
        #expect(clock.advance(to: reading(1, .max, 0)) == .max)
        #expect(clock.advance(to: reading(2, 0, .max)) == .max)
        var other = ShardClock(at: reading(1, 0, .min))
        #expect(other.advance(to: reading(2, 0, .max)) == 0, "no difference that can be true")
    }

    @Test func `durations become whole milliseconds`() {
        #expect(Duration.milliseconds(1500).wholeMilliseconds == 1500)
        #expect(Duration.microseconds(1999).wholeMilliseconds == 1)
        #expect(Duration.seconds(-3).wholeMilliseconds == 0)
        #expect(Duration.seconds(Int64.max).wholeMilliseconds == .max)
    }
}

struct CallKeyTests {
    private let actor = ActorID(high: 1, low: 2)
    private let callee = ActorID(high: 1, low: 3)
    private let call = CallName.id(CallID(session: SessionID(high: 4, low: 5), sequence: 6))

    private func child(
        _ parent: CallName? = nil,
        in actor: ActorID? = nil,
        of callee: ActorID? = nil,
        _ method: String = "m",
        _ arguments: [[UInt8]] = [[1], [2]],
        _ number: UInt64 = 0
    ) -> CallKey {
        CallKey(
            parent: (actor ?? self.actor, parent ?? call),
            actor: callee ?? self.callee,
            method: method,
            arguments: arguments,
            number: number
        )
    }

    @Test func `a chosen key means something to its actor only`() {
        #expect(CallKey(text: "order-42", of: actor) == CallKey(text: "order-42", of: actor))
        #expect(CallKey(text: "order-42", of: actor) != CallKey(text: "order-42", of: callee))
        #expect(CallKey(text: "order-42", of: actor) != CallKey(text: "order-43", of: actor))
    }

    @Test func `whatever tells two calls of a parent apart gives them different keys`() {
        let later = CallName.id(CallID(session: SessionID(high: 4, low: 5), sequence: 7))
        let variants = [
            child(), child(later), child(.key(CallKey(high: 4, low: 5))), child(in: callee), child(of: actor),
            child(nil, "n"), child(nil, "m", [[1, 2]]), child(nil, "m", [[1], [2], []]), child(nil, "m", [[2], [1]]),
            child(nil, "m", [[1], [2]], 1),
        ]
        #expect(Set(variants).count == variants.count)
        #expect(child() == child(), "and the same call the same key")
    }
}
