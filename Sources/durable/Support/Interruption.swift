internal import Glibc
internal import Synchronization

/// Ends the runtime when the user interrupts the tool, so that no process and no temporary file is left.
///
/// A signal handler may do next to nothing; it writes a byte into a pipe, on whose other end a thread waits.
final class Interruption: Sendable {
    private enum Stage {
        /// Nothing was started. Becomes `starting`.
        case idle
        /// A runtime is on its way. Becomes `running`, or `idle` when it cannot be had.
        case starting
        /// There is a runtime to leave, or one that was left. Becomes `starting` when the next one is on its way.
        case running(Departure)
    }

    private struct State {
        var stage = Stage.idle
        var signal: Int32?
        var isEnding = false
        var diversion: (@Sendable (Int32) -> Void)?
    }

    /// How long an orderly end may take before everything is killed.
    private static let patience: Duration = .seconds(10)

    /// How long a run that was asked for its end may take to come to it by itself.
    private static let diversionPatience: Duration = .seconds(90)

    private static let pipe: (read: Int32, write: Int32) = {
        var ends: [Int32] = [-1, -1]
        guard Glibc.pipe(&ends) == 0 else { return (-1, -1) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }()

    private let state = Mutex(State())

    /// Listens from now on, for the rest of the process's life: to SIGINT and SIGTERM, to SIGHUP unless it is ignored
    /// as under `nohup`, and to SIGPIPE, which means that nobody reads any more. To be made once.
    init() {
        guard Self.pipe.read >= 0 else { return }
        for number in [SIGINT, SIGTERM, SIGHUP, SIGPIPE] {
            let former = signal(number) { number in
                let saved = errno
                var byte = UInt8(truncatingIfNeeded: number)
                _ = write(Interruption.pipe.write, &byte, 1)
                errno = saved
            }
            let isIgnored = unsafeBitCast(former, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
            if number == SIGHUP, isIgnored { _ = signal(number, SIG_IGN) }
        }
        var thread = pthread_t()
        let context = Unmanaged.passRetained(self).toOpaque()
        let error = pthread_create(
            &thread,
            nil,
            { context in
                guard let context else { return nil }
                Unmanaged<Interruption>.fromOpaque(context).takeRetainedValue().listen()
            },
            context
        )
        if error == 0 { pthread_detach(thread) }
    }

    /// A runtime is going to be started. From here on a signal does not end the process at once. Does not return when
    /// one has come already: then whatever was there before is being ended, and the process with it.
    func starting() async {
        let isRaised = state.withLock { state in
            guard state.signal == nil else { return true }
            state.stage = .starting
            return false
        }
        // The listener ends what it has found at the signal. One that comes from here on finds `starting`.
        if isRaised { await waitIfRaised() }
    }

    /// None could be started.
    func startFailed() {
        let signal = state.withLock { state in
            state.stage = .idle
            return state.signal
        }
        if let signal { end(signal, "nothing is left running") }
    }

    /// This is what to do when a signal comes. Does not return when one has come already.
    func adopt(_ departure: Departure) async {
        let signal = state.withLock { state in
            state.stage = .running(departure)
            return state.signal
        }
        if let signal { end(signal, departure.text(await departure.leave())) }
    }

    /// After an error: if it came from the interruption, waits until that has ended the process.
    func waitIfRaised() async {
        guard state.withLock({ $0.signal != nil }) else { return }
        while true { try? await Task.sleep(for: .seconds(3600)) }
    }

    /// From now on the first signal asks the run for its end, instead of ending everything; the second one does that.
    /// When nobody reads any more, there is no use in a report, and everything ends at once.
    func divert(_ ask: @escaping @Sendable (Int32) -> Void) { state.withLock { $0.diversion = ask } }

    private func listen() -> Never {
        var signal = next(within: nil)
        while signal == nil { signal = next(within: nil) }
        var number = signal ?? SIGTERM
        if number != SIGPIPE, let ask = state.withLock({ $0.diversion }) {
            ask(number)
            number = next(within: Self.diversionPatience) ?? number
        }
        let ending = number
        let stage = state.withLock { state in
            state.signal = ending
            return state.stage
        }
        switch stage {
        case .idle: end(ending, "nothing was started")
        case .starting: break  // `adopt` goes on when there is a runtime.
        case .running(let departure):
            // The process ends with the task.
            Task { end(ending, departure.text(await departure.leave())) }
        }
        // Whoever asks twice does not want to wait. Nor has an end that is stuck to be waited for.
        _ = next(within: Self.patience)
        // Only when a runtime has been started, a matter of milliseconds, it is known what there is to end.
        let deadline = ContinuousClock.now + Self.patience
        while ContinuousClock.now < deadline {
            if case .running(let departure) = state.withLock({ $0.stage }) {
                departure.force { end(ending, departure.text($0)) }
            }
            usleep(1000)
        }
        end(ending, "the runtime was still being started; its supervisor ends by itself")
    }

    /// Waits for the next signal; `nil` when none has come in time. Only the first SIGPIPE is news.
    private func next(within patience: Duration?) -> Int32? {
        let deadline = patience.map { ContinuousClock.now + $0 }
        while true {
            let left = deadline.map { max(.zero, $0 - .now) / .milliseconds(1) }
            var entry = pollfd(fd: Self.pipe.read, events: Int16(POLLIN), revents: 0)
            let ready = poll(&entry, 1, left.map { Int32($0.rounded(.up)) } ?? -1)
            if ready < 0, errno == EINTR { continue }
            var byte: UInt8 = 0
            guard ready > 0, read(Self.pipe.read, &byte, 1) == 1 else { return nil }
            if patience == nil || Int32(byte) != SIGPIPE { return Int32(byte) }
        }
    }

    /// Says how it ended and ends the process, with the code that a shell expects. Only the first caller does so.
    private func end(_ signal: Int32, _ text: String) -> Never {
        let isFirst = state.withLock { state in
            defer { state.isEnding = true }
            return !state.isEnding
        }
        guard isFirst else { while true { sleep(3600) } }
        // The line that shows the progress has no end yet.
        StandardError.write("\(StandardError.isTerminal ? "\n" : "")durable: interrupted; \(text)\n")
        _exit(128 + signal)
    }
}
