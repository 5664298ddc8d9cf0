internal import CDurable
package import DurableCore
internal import Glibc

/// One page of counters and notes that a worker writes and its supervisor reads, also after the worker was killed.
///
/// The supervisor creates the page and sends `descriptor` to the worker, which adopts it. The page's size is sealed:
/// a worker cannot hurt its supervisor by shrinking it.
package final class WorkerPage: Sendable {
    /// The page's descriptor, owned by this object and close-on-exec.
    package let descriptor: Int32
    // SAFETY: the pointer never changes, the mapping lives until deinit, and all access is by C11 atomics.
    nonisolated(unsafe) let page: OpaquePointer

    /// Creates a page with all counters at zero.
    package init() throws(ProcessError) {
        var descriptor: Int32 = -1
        var page: OpaquePointer?
        let error = durable_page_create(&descriptor, &page)
        guard error == 0, let page else { throw ProcessError(attempt: "create a worker page", errno: error) }
        self.descriptor = descriptor
        self.page = page
    }

    /// Maps a page that another process created and owns the descriptor from then on. On failure it stays the caller's.
    package init(adopting descriptor: Int32) throws(ProcessError) {
        var page: OpaquePointer?
        let error = durable_page_map(descriptor, &page)
        guard error == 0, let page else {
            if error == EINVAL {
                throw ProcessError(
                    code: .invalidConfiguration,
                    message: "descriptor \(descriptor) is not a worker page",
                    errno: error
                )
            }
            throw ProcessError(attempt: "map a worker page", errno: error)
        }
        self.descriptor = descriptor
        self.page = page
    }

    deinit {
        durable_page_unmap(page)
        close(descriptor)
    }

    /// How many turns the worker has completed.
    package var turnsCompleted: UInt64 { durable_page_turns(page) }

    /// Counts completed turns.
    package func addTurnsCompleted(_ count: UInt64 = 1) {
        durable_page_add_turns(page, count)
    }

    /// Gives a sign of life.
    package func beat() { heartbeat = Self.now }

    /// Gives a sign of life of the thread that hears the supervisor, which never runs code of actors.
    package func beatControl() { durable_page_set_control_heartbeat(page, Self.now) }

    /// The last signs of life: of the actors' thread, and of any.
    package var signs: SilenceWatch.Signs {
        let thread = heartbeat
        return SilenceWatch.Signs(thread: thread, process: max(thread, durable_page_control_heartbeat(page)))
    }

    /// How long ago the last sign of life was; `nil` when there was none yet.
    package var silence: Duration? {
        let last = heartbeat
        return last == 0 ? nil : .milliseconds(Int64(clamping: Self.now - min(Self.now, last)))
    }

    /// Milliseconds, by a clock that stands still while the machine sleeps, and is the same for all processes.
    private static var now: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1000 + UInt64(time.tv_nsec) / 1_000_000
    }

    /// The worker's last sign of life, in ticks of a clock that worker and supervisor agree on.
    package var heartbeat: UInt64 {
        get { durable_page_heartbeat(page) }
        set { durable_page_set_heartbeat(page, newValue) }
    }
}
