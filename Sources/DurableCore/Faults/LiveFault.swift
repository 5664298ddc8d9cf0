/// A fault that a process is told to show from now on, while it runs: what no signal can do to it from outside.
///
/// Others than those of `FaultSpecification` these need no arming at the start, and stand for what the world does to the
/// framework, not for a step of it.
package struct LiveFault: Sendable, Hashable, Codable {
    /// What happens.
    package enum Kind: String, Sendable, Hashable, Codable {
        /// The process ends by `_exit(0)`, as if code of its own had said so.
        case exit
        /// The connections of the next reply end in its place, as when a network breaks between commit and reply.
        case dropReply
        /// The next reply, and all that follow it meanwhile, leave later.
        case delayReply
        /// The next reply leaves twice.
        case duplicateReply
        /// The next commit takes longer.
        case slowDisk
        /// Commits fail as those of a broken disk.
        case failDisk
        /// Commits fail as those of a full disk.
        case fullDisk
        /// The time of day is another one.
        case jumpClock
        /// None of this any more.
        case calm
    }

    /// What happens.
    package var kind: Kind
    /// For how long. Of a disk that fails or is full 0 means one commit. Of a clock it is how far it is off.
    package var milliseconds: Int64

    package init(_ kind: Kind, milliseconds: Int64 = 0) {
        self.kind = kind
        self.milliseconds = milliseconds
    }
}

/// What is to happen to one process of a runtime.
package struct FaultOrder: Sendable, Hashable, Codable {
    /// Its number.
    package var pid: Int32
    /// When it started, as the kernel counts.
    package var startTime: UInt64
    /// What it is told; `nil` when somebody is about to end it by a signal, and the ledger is to say that this was meant.
    package var fault: LiveFault?

    package init(pid: Int32, startTime: UInt64, fault: LiveFault?) {
        self.pid = pid
        self.startTime = startTime
        self.fault = fault
    }

    /// Whether the process ends by it.
    package var isFatal: Bool { fault.map { $0.kind == .exit } ?? true }
}
