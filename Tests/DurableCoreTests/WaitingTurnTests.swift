import DurableCore
import Testing

struct WaitingTurnTests {
    private func turn(_ actor: UInt64, _ call: UInt64?, epoch: Epoch = 1, type: String = "T") -> WaitingTurn {
        let id = call.map { CallID(session: SessionID(high: 1, low: 1), sequence: $0) }
        return WaitingTurn(
            actor: ActorID(high: actor << 32, low: 0),
            call: id.map { .id($0) },
            epoch: epoch,
            type: type
        )
    }

    @Test func `the calls of an actor that wait are those of its present life`() {
        let waiting = WaitingTurns([turn(1, 1), turn(2, 1), turn(1, 2), turn(1, 3, epoch: 2), turn(1, nil)])
        let session = SessionID(high: 1, low: 1)
        let expected = [1, 2].map { CallName.id(CallID(session: session, sequence: $0)) }
        #expect(waiting.calls(of: ActorID(high: 1 << 32, low: 0), in: 1) == Set(expected))
        #expect(waiting.calls(of: ActorID(high: 3 << 32, low: 0), in: 1).isEmpty)
        #expect(waiting.includesStart(of: ActorID(high: 1 << 32, low: 0)))
        #expect(!waiting.includesStart(of: ActorID(high: 2 << 32, low: 0)))
    }

    @Test func `a row that is too long forgets those that began to wait first`() {
        var waiting = WaitingTurns()
        for call in 1...100 { waiting = waiting.followed(by: turn(1, UInt64(call))) }
        #expect(waiting.turns.count == Limits.waitingTurnsMax)
        #expect(waiting.turns.first == turn(1, UInt64(101 - Limits.waitingTurnsMax)))
        #expect(waiting.turns.last == turn(1, 100))
    }

    @Test func `the error names the cycle from the actor on to itself`() {
        let waiting = WaitingTurns([turn(9, 1, type: "Out"), turn(1, 1, type: "A"), turn(2, 1, type: "B")])
        let error = waiting.error(of: ActorID(high: 1 << 32, low: 0))
        #expect(error.code == .deadlock)
        #expect(error.message.contains(": A 00000001 -> B 00000002 -> A 00000001;"), "\(error.message)")
    }

    @Test func `a long name of a type is cut between characters`() {
        #expect(turn(1, 1, type: String(repeating: "ö", count: 100)).type == String(repeating: "ö", count: 32))
    }
}
