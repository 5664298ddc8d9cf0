internal import DurableProcess
internal import Glibc
internal import Synchronization

/// Sees from outside what follows a death: when the kernel tells that the process is gone, and when another process
/// opens and first writes the data file that it had.
///
/// A thread waits for the pidfd and for the directory's file notices. What it notes is when it was told, which on a busy
/// machine is a little later than what happened.
final class DeathWatch: Sendable {
    /// When something was seen; `nil` while it was not.
    struct Stamps: Sendable {
        /// The process has ended.
        var ended: ContinuousClock.Instant?
        /// The next one opens the data file.
        var opened: ContinuousClock.Instant?
        /// It writes to it for the first time.
        var claimed: ContinuousClock.Instant?
    }

    private struct State {
        var stamps = Stamps()
        var waiter: CheckedContinuation<Stamps, Never>?
        var isFinished = false
    }

    private let process: ProcessHandle
    private let notices: Int32
    private let bell: (read: Int32, write: Int32)
    private let state = Mutex(State())

    private init(_ process: ProcessHandle, notices: Int32, bell: (Int32, Int32)) {
        self.process = process
        self.notices = notices
        self.bell = bell
    }

    deinit {
        if notices >= 0 { close(notices) }
        close(bell.read)
        close(bell.write)
    }

    /// Starts watching; end it with ``finish()``.
    /// - Parameters:
    ///   - process: Whose death is awaited.
    ///   - directory: Where its data file is; `nil` when it has none.
    static func start(_ process: ProcessHandle, directory: String?) async throws -> DeathWatch {
        var notices: Int32 = -1
        if let directory {
            notices = inotify_init1(Int32(O_CLOEXEC | O_NONBLOCK))
            guard notices >= 0 else { throw BenchmarkError("watching files", code: errno) }
            guard inotify_add_watch(notices, directory, UInt32(IN_OPEN | IN_MODIFY)) >= 0 else {
                let code = errno
                close(notices)
                throw BenchmarkError("watching \(directory)", code: code)
            }
        }
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            let code = errno
            if notices >= 0 { close(notices) }
            throw BenchmarkError("a pipe", code: code)
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let watch = DeathWatch(process, notices: notices, bell: (ends[0], ends[1]))
        var thread = pthread_t()
        let context = Unmanaged.passRetained(watch)
        let code = pthread_create(
            &thread,
            nil,
            { context in
                guard let context else { return nil }
                Unmanaged<DeathWatch>.fromOpaque(context).takeRetainedValue().run()
                return nil
            },
            context.toOpaque()
        )
        guard code == 0 else {
            context.release()
            throw BenchmarkError("starting a thread", code: code)
        }
        pthread_detach(thread)
        // Its answer says that it has begun.
        _ = await watch.look()
        return watch
    }

    /// What has been seen so far. Everything that happened before the question is in the answer.
    func look() async -> Stamps {
        await withCheckedContinuation { waiter in
            state.withLock { $0.waiter = waiter }
            ring()
        }
    }

    /// Ends the watch.
    func finish() {
        state.withLock { $0.isFinished = true }
        ring()
    }

    private func ring() {
        var byte: UInt8 = 0
        // The pipe holds far more than can be asked; so nothing is lost.
        _ = write(bell.write, &byte, 1)
    }

    private func run() {
        var isGone = false
        while true {
            var entries = [
                pollfd(fd: notices, events: Int16(POLLIN), revents: 0),
                pollfd(fd: isGone ? -1 : process.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: bell.read, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&entries, 3, -1) > 0 else { continue }
            let now = ContinuousClock.now
            // A question comes first out of the pipe, so that what is read afterwards was there when it was asked.
            var byte: UInt8 = 0
            if entries[2].revents != 0 { _ = read(bell.read, &byte, 1) }
            if !isGone, !process.isAlive {
                isGone = true
                state.withLock { $0.stamps.ended = now }
            }
            readNotices(now)
            guard entries[2].revents != 0 else { continue }
            let (waiter, stamps, isFinished) = state.withLock { state in
                defer { state.waiter = nil }
                return (state.waiter, state.stamps, state.isFinished)
            }
            waiter?.resume(returning: stamps)
            if isFinished { return }
        }
    }

    private func readNotices(_ now: ContinuousClock.Instant) {
        guard notices >= 0 else { return }
        var buffer = [UInt8](repeating: 0, count: 8192)
        while case let count = read(notices, &buffer, buffer.count), count > 0 {
            var place = 0
            let head = MemoryLayout<inotify_event>.size
            while place + head <= count {
                let event = buffer.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: place, as: inotify_event.self) }
                let name = buffer[(place + head)..<(place + head + Int(event.len))].prefix { $0 != 0 }
                place += head + Int(event.len)
                guard name.elementsEqual("data.mdb".utf8) else { continue }
                note(event.mask, now)
            }
        }
    }

    /// A living process has the file open already, and a dead one does not write: what is written after it was opened
    /// is written by the next.
    private func note(_ mask: UInt32, _ now: ContinuousClock.Instant) {
        state.withLock { state in
            if mask & UInt32(IN_OPEN) != 0, state.stamps.opened == nil { state.stamps.opened = now }
            if mask & UInt32(IN_MODIFY) != 0, state.stamps.opened != nil, state.stamps.claimed == nil {
                state.stamps.claimed = now
            }
        }
    }
}
