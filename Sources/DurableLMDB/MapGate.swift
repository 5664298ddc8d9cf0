internal import CLMDB
internal import Glibc
internal import Synchronization

/// Keeps the map still while anything reads it, and open while anything uses it.
///
/// LMDB moves its map when it grows, so no read of this process may be live then. Reads enter and leave; a growth
/// closes the door, waits for those inside, and opens it again. It also keeps ended read transactions for reuse.
final class MapGate: Sendable {
    /// A read transaction that is reset and waits for its next use.
    // SAFETY: a reset transaction belongs to no thread (`MDB_NOTLS`) and is in one place only.
    struct IdleRead: @unchecked Sendable {
        let pointer: OpaquePointer
    }

    enum Refusal { case closed, broken }

    private enum Entrance: Sendable {
        case open(IdleRead?)
        case wait
        case refused(Refusal)
    }

    private struct State {
        /// The threads that read the map; one that reads twice is listed twice.
        var readers: [UInt] = []
        /// Uses that need the environment open but not the map still.
        var pins = 0
        var idle: [IdleRead] = []
        var isExclusive = false
        var refusal: Refusal?
    }

    private static let idleMax = 16

    private let state = Mutex(State())
    private let door = Mutex<Void>(())
    private let drained = Semaphore()

    static var thisThread: UInt { UInt(pthread_self()) }

    /// Lets the calling thread read the map, after a growth that is under way. Balanced by `leave`.
    func enter() throws(Refused) -> IdleRead? {
        let thread = Self.thisThread
        while true {
            let entrance = state.withLock { state -> Entrance in
                if let refusal = state.refusal { return .refused(refusal) }
                // A thread that reads already must get in: the growth waits for it.
                if state.isExclusive && !state.readers.contains(thread) { return .wait }
                state.readers.append(thread)
                return .open(state.idle.popLast())
            }
            switch entrance {
            case .open(let idle): return idle
            case .wait: door.withLock { _ in }
            case .refused(let refusal): throw Refused(refusal: refusal)
            }
        }
    }

    /// Ends what `enter` began; true if the transaction was kept for reuse.
    func leave(keeping read: IdleRead?) -> Bool {
        let thread = Self.thisThread
        return state.withLock { state in
            // Order does not matter, and the latest is most likely the one that leaves.
            if let index = state.readers.lastIndex(of: thread) { state.readers.remove(at: index) }
            signalIfDrained(state)
            guard let read, state.refusal == nil, state.idle.count < Self.idleMax else { return false }
            state.idle.append(read)
            return true
        }
    }

    /// Runs a body that needs the environment open. It may take long, for it does not hold up growth.
    func pinned<R>(_ body: () -> R) throws(Refused) -> R {
        let refusal = state.withLock { state -> Refusal? in
            if state.refusal == nil { state.pins += 1 }
            return state.refusal
        }
        if let refusal { throw Refused(refusal: refusal) }
        defer {
            state.withLock { state in
                state.pins -= 1
                signalIfDrained(state)
            }
        }
        return body()
    }

    private func signalIfDrained(_ state: borrowing State) {
        if state.isExclusive && state.readers.isEmpty { drained.signal() }
    }

    func isHeldByThisThread() -> Bool {
        let thread = Self.thisThread
        return state.withLock { $0.readers.contains(thread) }
    }

    var refusal: Refusal? {
        state.withLock { $0.refusal }
    }

    /// Runs a body while no read is live. Nil if reads did not end in time. One caller at a time: the writer.
    func exclusively<R>(waiting limit: Duration, _ body: () -> R) -> R? {
        var result: R?
        door.withLock { _ in
            state.withLock { $0.isExclusive = true }
            if drain(until: ContinuousClock.now + limit, countingPins: false) { result = body() }
            state.withLock { $0.isExclusive = false }
        }
        return result
    }

    /// Waits for every user, then refuses all others. Returns the idle transactions, or nil if it was closed before.
    func close() -> [IdleRead]? {
        door.withLock { _ in
            let isFirst = state.withLock { state in
                if state.refusal == .closed { return false }
                state.refusal = .closed
                state.isExclusive = true
                return true
            }
            guard isFirst else { return nil }
            while !drain(until: ContinuousClock.now + .seconds(3600), countingPins: true) {}
            return state.withLock { state in
                let idle = state.idle
                state.idle = []
                return idle
            }
        }
    }

    /// Refuses all further use, for the map is gone.
    func breakDown() {
        state.withLock { $0.refusal = .broken }
    }

    private func drain(until deadline: ContinuousClock.Instant, countingPins: Bool) -> Bool {
        while true {
            let isDrained = state.withLock { $0.readers.isEmpty && (!countingPins || $0.pins == 0) }
            if isDrained { return true }
            if !drained.wait(until: deadline) { return false }
        }
    }

    struct Refused: Error {
        let refusal: Refusal
    }
}

/// A counting semaphore with a deadline.
final class Semaphore: Sendable {
    // SAFETY: allocated once, initialised before use, and `sem_t` is made to be shared between threads.
    private nonisolated(unsafe) let semaphore: UnsafeMutablePointer<sem_t>

    init() {
        semaphore = .allocate(capacity: 1)
        precondition(sem_init(semaphore, 0, 0) == 0, "a semaphore cannot be created")
    }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    func signal() {
        sem_post(semaphore)
    }

    /// False once the deadline has passed.
    func wait(until deadline: ContinuousClock.Instant) -> Bool {
        while true {
            let remaining = max(.zero, ContinuousClock.now.duration(to: deadline)).components
            var instant = timespec()
            clock_gettime(CLOCK_MONOTONIC, &instant)
            instant.tv_sec += Int(remaining.seconds)
            instant.tv_nsec += Int(remaining.attoseconds / 1_000_000_000)
            if instant.tv_nsec >= 1_000_000_000 {
                instant.tv_sec += 1
                instant.tv_nsec -= 1_000_000_000
            }
            if sem_clockwait(semaphore, CLOCK_MONOTONIC, &instant) == 0 { return true }
            if errno != EINTR { return false }
        }
    }
}
