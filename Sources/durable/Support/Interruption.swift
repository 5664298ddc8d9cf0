internal import ArgumentParser
internal import DurableActors
internal import Glibc
internal import Synchronization

/// Ends the runtime when the user interrupts the tool, so that no process and no temporary file is left.
///
/// A signal handler may do next to nothing; it writes a byte into a pipe, on whose other end a thread waits.
final class Interruption: Sendable {
    private struct State {
        var runtime: ActorRuntime?
        var isRaised = false
    }

    private static let pipe: (read: Int32, write: Int32) = {
        var ends: [Int32] = [-1, -1]
        guard Glibc.pipe(&ends) == 0 else { return (-1, -1) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }()

    private let state = Mutex(State())

    /// Listens to SIGINT, SIGTERM and SIGHUP from now on, for the rest of the process's life. To be made once.
    init() {
        guard Self.pipe.read >= 0 else { return }
        for number in [SIGINT, SIGTERM, SIGHUP] {
            _ = signal(number) { _ in
                let saved = errno
                var byte: UInt8 = 1
                _ = write(Interruption.pipe.write, &byte, 1)
                errno = saved
            }
        }
        var thread = pthread_t()
        let context = Unmanaged.passRetained(self).toOpaque()
        let error = pthread_create(
            &thread,
            nil,
            { context in
                guard let context else { return nil }
                Unmanaged<Interruption>.fromOpaque(context).takeRetainedValue().listen()
                return nil
            },
            context
        )
        if error == 0 { pthread_detach(thread) }
    }

    /// Whether a signal has come.
    var isRaised: Bool { state.withLock { $0.isRaised } }

    /// This runtime is to be shut down when a signal comes.
    func adopt(_ runtime: ActorRuntime) async {
        let isRaised = state.withLock { state in
            state.runtime = runtime
            return state.isRaised
        }
        if isRaised { await Self.leave(runtime) }
    }

    /// After an error: if it came from the interruption, waits until that has ended the process.
    func waitIfRaised() async {
        guard isRaised else { return }
        while true { try? await Task.sleep(for: .seconds(3600)) }
    }

    private func listen() {
        waitForSignal()
        let runtime = state.withLock { state in
            state.isRaised = true
            return state.runtime
        }
        // The process ends with the task. Without a runtime yet, `adopt` does the same when there is one.
        if let runtime { Task { await Self.leave(runtime) } }
        waitForSignal()
        // Whoever asks twice does not want to wait; the supervisor sees by itself that this process is gone.
        _exit(130)
    }

    private func waitForSignal() {
        var byte: UInt8 = 0
        while read(Self.pipe.read, &byte, 1) < 0, errno == EINTR {}
    }

    private static func leave(_ runtime: ActorRuntime) async {
        await runtime.shutdown()
        StandardError.write("\ndurable: interrupted; nothing is left running\n")
        exit(130)
    }
}
