#if SEEDED_BUGS
internal import SeededBugs
#endif

/// Which connection each session calls on now.
///
/// A caller has one at a time and sends again on the next one what it still waits for. What the former one still delivers
/// would run behind calls that were made after it, so it is not listened to.
package struct SessionConnections: Sendable {
    /// With more sessions than this, what is known of them is forgotten; that costs only this check.
    package static let sessionsMax = 4096

    private var latest: [SessionID: UInt64] = [:]
    private var last: (session: SessionID, connection: UInt64)?

    package init() {}

    /// A call of the session arrived.
    /// - Parameter connection: The number of its connection; later ones have larger numbers.
    /// - Returns: Whether it is listened to: not when a later connection has brought a call of the session.
    package mutating func admits(_ session: SessionID, on connection: UInt64) -> Bool {
        #if SEEDED_BUGS
        if SeededBug.formerConnectionHeard.isActive { return true }
        #endif
        if let last, last.connection == connection, last.session == session { return true }
        if let known = latest[session], known > connection { return false }
        if latest.count >= Self.sessionsMax { latest = [:] }
        latest[session] = connection
        last = (session, connection)
        return true
    }
}
