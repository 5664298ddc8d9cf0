import DurableCore
import Testing

struct SessionConnectionsTests {
    private let first = SessionID(high: 0, low: 1)
    private let second = SessionID(high: 0, low: 2)

    /// Which of these calls are listened to, each of a session on the connection of a number.
    private func admitted(_ calls: [(session: SessionID, connection: UInt64)]) -> [Bool] {
        var connections = SessionConnections()
        return calls.map { connections.admits($0.session, on: $0.connection) }
    }

    @Test func `what a connection still delivers when its caller uses the next one is not listened to`() {
        let calls = [(first, 5), (second, 6), (first, 5), (first, 7), (first, 5), (first, 7), (second, 6)]
        #expect(admitted(calls.map { ($0.0, UInt64($0.1)) }) == [true, true, true, true, false, true, true])
    }

    @Test func `there is a bound to what is known`() {
        let others = (0..<UInt64(3 * SessionConnections.sessionsMax)).map { (SessionID(high: 1, low: $0), $0) }
        #expect(admitted(others + [(first, 1), (first, 2), (first, 1)]).suffix(3) == [true, true, false])
    }
}
