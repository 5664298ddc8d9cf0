internal import CDurable
internal import Glibc
internal import Synchronization

/// One process, named by a pidfd: signals and waits through it never reach another process that got the same pid.
///
/// A handle that is dropped closes the pidfd and leaves the process alone.
package final class ProcessHandle: Sendable {
    /// The process's number. It may name another process once this one has been reaped.
    package let pid: Int32
    /// When the process started, in clock ticks since the machine did; with the pid it names the process for good.
    package let startTime: UInt64
    /// The pidfd, owned by the handle. It polls readable once the process has ended.
    package let descriptor: Int32

    private let watchToken: UInt64
    private let ended = Mutex<ExitStatus?>(nil)

    /// Takes over the pidfd. The pid must have been entered into `WatchedProcesses` under the token.
    init(pid: Int32, startTime: UInt64, descriptor: Int32, watchToken: UInt64) {
        self.pid = pid
        self.startTime = startTime
        self.descriptor = descriptor
        self.watchToken = watchToken
    }

    deinit {
        close(descriptor)
        WatchedProcesses.remove(pid, token: watchToken)
    }

    /// Sends a signal. Returns false if the process is gone or may not be signalled by this user.
    @discardableResult
    package func signal(_ signal: Int32) -> Bool {
        durable_pidfd_signal(descriptor, signal) == 0
    }

    /// Ends the process at once. Returns false if it was gone already.
    @discardableResult
    package func kill() -> Bool {
        signal(SIGKILL)
    }

    /// Ends the process and everything it started that has not left its process group.
    ///
    /// Meant for processes started by `spawn`, which lead a group of their own.
    @discardableResult
    package func killGroup() -> Bool {
        durable_pidfd_signal_group(descriptor, pid, SIGKILL) == 0
    }

    /// Takes the status of the process if it has ended; nil while it runs. Never waits, and repeats its answer.
    package func reap() -> ExitStatus? {
        ended.withLock { ended in
            if let ended { return ended }
            var exit = durable_exit()
            let error = durable_wait_pidfd(descriptor, &exit)
            if error == 0 {
                ended = ExitStatus(exit)
            } else if hasEnded(within: 0) {
                // Not a child of this process, or its status was taken behind the handle's back.
                ended = .unknown
            }
            if ended != nil { WatchedProcesses.remove(pid, token: watchToken) }
            return ended
        }
    }

    /// Whether the process has not ended yet. A process that ended and was not reaped is not alive.
    package var isAlive: Bool {
        !hasEnded(within: 0)
    }

    /// Waits until the process has ended or the time is over. Returns whether it has ended. Blocks the thread.
    package func waitUntilEnded(for patience: Duration) -> Bool {
        let clock = ContinuousClock()
        let deadline = clock.now + patience
        while true {
            let left = clock.now.duration(to: deadline)
            if hasEnded(within: PollTimeout.milliseconds(left)) { return true }
            if left <= .zero { return false }
        }
    }

    private func hasEnded(within milliseconds: Int32) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, milliseconds) > 0
    }
}

/// Times as poll(2) takes them.
enum PollTimeout {
    /// Rounds up, so that a wait is not a spin at its end, and never exceeds a minute: callers look again anyway.
    static func milliseconds(_ duration: Duration) -> Int32 {
        guard duration > .zero else { return 0 }
        let (seconds, attoseconds) = duration.components
        guard seconds < 60 else { return 60_000 }
        return Int32(seconds) * 1000 + Int32((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
}
