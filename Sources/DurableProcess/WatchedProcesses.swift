internal import CDurable
internal import Glibc
internal import Synchronization

/// The processes that some `ProcessHandle` of this process answers for. Their statuses are not for anyone else to take.
enum WatchedProcesses {
    private static let tokens = Mutex<[Int32: UInt64]>([:])
    private static let tokenLast = Atomic<UInt64>(0)
    // Held while a child is started and entered here, and while orphans are reaped: no child is seen in between.
    private static let gate = Mutex<Void>(())

    static func withoutOthersStartingOrReaping<Result: ~Copyable, Failure: Error>(
        _ body: () throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        try gate.withLock { (_: inout sending Void) throws(Failure) -> sending Result in try body() }
    }

    /// Enters a process and returns the token that removes this entry, and not a later one for a reused pid.
    static func enter(_ pid: Int32) -> UInt64 {
        let token = tokenLast.wrappingAdd(1, ordering: .relaxed).newValue
        tokens.withLock { $0[pid] = token }
        return token
    }

    static func remove(_ pid: Int32, token: UInt64) {
        tokens.withLock { if $0[pid] == token { $0[pid] = nil } }
    }

    static func contains(_ pid: Int32) -> Bool {
        tokens.withLock { $0[pid] != nil }
    }
}
