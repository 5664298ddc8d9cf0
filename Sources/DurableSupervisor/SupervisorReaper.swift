internal import DurableProcess
internal import DurableTransport
internal import Glibc

/// Takes the status of a supervisor that this program started, whenever it ends.
///
/// A supervisor may outlive every runtime of the program, and a child that ended stays in the process table until its
/// parent asks: a program that goes on for long would keep one dead entry for each, and code of the program that waits
/// for any child would be shown that entry again and again. Only this very process is asked for, never another child.
enum SupervisorReaper {
    /// Returns at once. The waiting is done by a thread that ends with the supervisor.
    static func reapWhenEnded(_ supervisor: ProcessHandle) {
        let retained = Unmanaged.passRetained(supervisor)
        var thread = pthread_t()
        let status = pthread_create(&thread, nil, waitAndReap, retained.toOpaque())
        if status == 0 {
            pthread_detach(thread)
        } else {
            // Without a thread the entry stays for as long as this program; nothing else depends on it.
            retained.release()
        }
    }

    private static let waitAndReap: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { pointer in
        guard let pointer else { return nil }
        nameThread("durable-reaper")
        let supervisor = Unmanaged<ProcessHandle>.fromOpaque(pointer).takeRetainedValue()
        while supervisor.reap() == nil { _ = supervisor.waitUntilEnded(for: .seconds(60)) }
        return nil
    }
}
