/// What the two ends of a connection are to each other.
package enum ConnectionRole: UInt8, Sendable {
    /// A driver speaking to the supervisor.
    case driver = 1
    /// A worker's control connection to the supervisor.
    case worker = 2
    /// The supervisor, towards drivers and workers.
    case supervisor = 3
    /// A caller speaking to a worker.
    case caller = 4
    /// A worker, towards callers.
    case host = 5
    /// A process that asks another for its values.
    case borrower = 6
    /// A process that owns values, towards those that ask.
    case owner = 7
    /// A tool that asks the supervisor what there is. It does not belong to the runtime.
    case observer = 8
}

/// The kinds of frames, over all connections.
package enum FrameKind {
    /// Caller to worker: a call.
    package static let call: UInt8 = 0x10
    /// Worker to caller: the outcome of a call.
    package static let reply: UInt8 = 0x11
    /// Caller to worker: records that are needed no more, not answered.
    package static let release: UInt8 = 0x12
    /// Caller to worker: a later owner of the shard has been seen, not answered.
    package static let superseded: UInt8 = 0x13
    /// To the owner of a value: an `ObjectRequest`.
    package static let object: UInt8 = 0x18
    /// From the owner of a value: an `ObjectAnswer`.
    package static let contents: UInt8 = 0x19
    /// To the supervisor: a request, answered by `response`.
    package static let request: UInt8 = 0x20
    /// From the supervisor: the answer to a request.
    package static let response: UInt8 = 0x21
    /// Worker to supervisor: news, not answered.
    package static let report: UInt8 = 0x22
    /// Supervisor to worker: a command, not answered.
    package static let command: UInt8 = 0x23
}
