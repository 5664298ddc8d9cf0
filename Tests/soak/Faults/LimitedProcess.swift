import Glibc
import Synchronization

/// A process whose limits are lowered while it runs, and given back.
final class LimitedProcess: Sendable {
    private struct State {
        var pid: Int32 = 0
        var former: [UInt32: rlimit] = [:]
    }

    private typealias Function =
        @convention(c) (
            pid_t, UInt32, UnsafePointer<rlimit>?, UnsafeMutablePointer<rlimit>?
        ) -> Int32

    private let state = Mutex(State())

    /// Glibc has it for programs that ask for GNU's extensions when they are compiled, which Swift does not.
    private static func prlimit(
        _ pid: Int32,
        _ resource: UInt32,
        _ new: UnsafePointer<rlimit>?,
        _ old: UnsafeMutablePointer<rlimit>?
    ) -> Int32 {
        guard let symbol = dlsym(nil, "prlimit") else { return -1 }
        return unsafeBitCast(symbol, to: Function.self)(pid, resource, new, old)
    }

    init(_ pid: Int32 = 0) { self.pid = pid }

    var pid: Int32 {
        get { state.withLock { $0.pid } }
        set { state.withLock { $0.pid = newValue } }
    }

    /// Lowers the soft limit only: it can be raised again without any right.
    func limit(_ resource: __rlimit_resource, to value: UInt64) throws {
        try state.withLock { state in
            var former = rlimit()
            guard Self.prlimit(state.pid, resource.rawValue, nil, &former) == 0 else { throw Self.failure(state.pid) }
            if state.former[resource.rawValue] == nil { state.former[resource.rawValue] = former }
            var limit = rlimit(rlim_cur: rlim_t(value), rlim_max: former.rlim_max)
            guard Self.prlimit(state.pid, resource.rawValue, &limit, nil) == 0 else { throw Self.failure(state.pid) }
        }
    }

    /// Gives back what it had. One that has ended needs nothing.
    func free(_ resource: __rlimit_resource) throws {
        try state.withLock { state in
            guard var former = state.former.removeValue(forKey: resource.rawValue) else { return }
            guard Self.prlimit(state.pid, resource.rawValue, &former, nil) == 0 || errno == ESRCH else {
                throw Self.failure(state.pid)
            }
        }
    }

    private static func failure(_ pid: Int32) -> LaneError {
        LaneError("the limits of process \(pid) cannot be set: \(String(cString: strerror(errno)))")
    }
}
