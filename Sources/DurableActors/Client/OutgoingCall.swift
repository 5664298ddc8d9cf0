internal import DurableCore
internal import Synchronization

/// A call of this process on its way, and its caller that waits; resumed once, by whatever comes first.
final class OutgoingCall: Sendable {
    private struct State {
        var continuation: UnsafeContinuation<CallOutcome, any Error>?
        var result: Result<CallOutcome, any Error>?
        var sequence: UInt64?
        var isRecorded = false
        var retriesUsed = 0
        var stamp: ReplyStamp?
    }

    let method: String
    let genericSubstitutions: [String]
    /// Each CBOR.
    let arguments: [[UInt8]]
    let identity: CallerChannel.Identity
    /// How hard it is tried.
    let effort: CallEffort
    private let state = Mutex(State())

    init(
        _ method: String,
        genericSubstitutions: [String] = [],
        arguments: [[UInt8]] = [],
        identity: CallerChannel.Identity = CallerChannel.Identity(),
        effort: CallEffort = CallEffort()
    ) {
        self.method = method
        self.genericSubstitutions = genericSubstitutions
        self.arguments = arguments
        self.identity = identity
        self.effort = effort
    }

    /// The call's number, once it has one.
    var sequence: UInt64? { state.withLock { $0.sequence } }

    /// Whether the outcome is there.
    var isOver: Bool { state.withLock { $0.result != nil } }

    /// Whether the worker said that it keeps a record of the call, and how many retries it had used when it was answered.
    var answer: (isRecorded: Bool, retriesUsed: Int) { state.withLock { ($0.isRecorded, $0.retriesUsed) } }

    /// When the actor answered, if it did.
    var stamp: ReplyStamp? { state.withLock { $0.stamp } }

    /// About how many bytes it has on the wire.
    var byteCount: Int {
        let beside = identity.detached?.byteCount ?? 0
        return arguments.reduce(method.utf8.count + Limits.callHeaderBytesMax + beside) { $0 + $1.count + 4 }
    }

    /// Gives the call its number. False when the caller was cancelled before.
    func assign(_ sequence: UInt64) -> Bool {
        state.withLock { state in
            state.sequence = sequence
            return state.result == nil
        }
    }

    /// Waits; `body` sets things in motion.
    func wait(_ body: () -> Void) async throws -> CallOutcome {
        // SAFETY: it is resumed exactly once: here when the result is there, else by whoever puts the first result there
        // and takes the continuation away.
        try await withUnsafeThrowingContinuation { continuation in
            let early: Result<CallOutcome, any Error>? = state.withLock { state in
                if state.result == nil { state.continuation = continuation }
                return state.result
            }
            if let early { continuation.resume(with: early) }
            body()
        }
    }

    func resume(throwing error: any Error) { resume(with: .failure(error)) }

    /// Ends the wait, unless it is over.
    /// - Parameters:
    ///   - isRecorded: Whether the worker keeps a record of the call.
    ///   - retriesUsed: How many retries the call had used.
    ///   - stamp: When the actor answered.
    func resume(
        with result: Result<CallOutcome, any Error>,
        isRecorded: Bool = false,
        retriesUsed: Int = 0,
        stamp: ReplyStamp? = nil
    ) {
        let continuation = state.withLock { state in
            guard state.result == nil else { return nil as UnsafeContinuation<CallOutcome, any Error>? }
            state.result = result
            state.isRecorded = isRecorded
            state.retriesUsed = retriesUsed
            state.stamp = stamp
            return state.continuation.take()
        }
        continuation?.resume(with: result)
    }
}
