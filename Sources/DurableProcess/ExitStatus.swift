internal import CDurable

/// How a process ended.
package enum ExitStatus: Hashable, Sendable {
    /// It returned from main or called exit.
    case exited(code: Int32)
    /// A signal ended it.
    case signalled(signal: Int32, coreDumped: Bool)
    /// It is gone, but its status went to another process, as with an adopted process.
    case unknown

    init?(_ exit: durable_exit) {
        switch exit.kind {
        case DURABLE_EXIT_EXITED: self = .exited(code: exit.value)
        case DURABLE_EXIT_SIGNALLED: self = .signalled(signal: exit.value, coreDumped: false)
        case DURABLE_EXIT_DUMPED: self = .signalled(signal: exit.value, coreDumped: true)
        default: return nil
        }
    }
}
