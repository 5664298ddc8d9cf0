internal import DurableCore
internal import DurableProcess
internal import Glibc
internal import Synchronization

/// Threads for blocking work of actors, made when they are needed and kept for the next.
final class OffloadPool: Sendable {
    /// A piece of work.
    struct Job: Sendable {
        /// Does it. What is returned tells whoever waits, when the thread is free for the next.
        let run: @Sendable () -> @Sendable () -> Void
        /// Tells whoever waits that it is not done.
        let refuse: @Sendable (ActorError) -> Void
    }

    private struct State {
        var waiting: [Job] = []
        var threads = 0
        /// Threads that wait for work and have not been woken.
        var idle = 0
    }

    private enum OnSubmit { case queued, wake, spawn, full }

    /// The process's own.
    static let shared = OffloadPool(threadsMax: Limits.offloadThreads, waitingMax: Limits.offloadsWaitingMax)

    private let threadsMax: Int
    private let waitingMax: Int
    private let state = Mutex(State())
    // SAFETY: the memory is never freed, as the pool's threads never end; semaphores may be used by any thread.
    nonisolated(unsafe) private let wakeUp: UnsafeMutablePointer<sem_t>

    private init(threadsMax: Int, waitingMax: Int) {
        self.threadsMax = threadsMax
        self.waitingMax = waitingMax
        wakeUp = .allocate(capacity: 1)
        precondition(sem_init(wakeUp, 0, 0) == 0, "a semaphore cannot be made")
    }

    /// Does the work on a thread that may wait.
    /// - Parameter job: The job of the loop that a crash of the work is to be charged to; 0 for none.
    /// - Throws: What the work throws, or ``ActorError`` with `limitExceeded` when it was not done.
    func run<Result: Sendable>(
        for job: UInt = 0,
        _ work: @escaping @Sendable () throws -> Result
    ) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            submit(
                Job {
                    let result = WorkerPage.work(for: UInt64(job)) { Swift.Result { try work() } }
                    return { continuation.resume(with: result) }
                } refuse: {
                    continuation.resume(throwing: $0)
                }
            )
        }
    }

    private func submit(_ job: Job) {
        let next = state.withLock { state -> OnSubmit in
            guard state.waiting.count < waitingMax else { return .full }
            state.waiting.append(job)
            if state.idle > 0 {
                state.idle -= 1
                return .wake
            }
            guard state.threads < threadsMax else { return .queued }
            state.threads += 1
            return .spawn
        }
        switch next {
        case .queued: break
        case .wake: sem_post(wakeUp)
        case .spawn: spawn()
        case .full: job.refuse(ActorError(.limitExceeded, "\(waitingMax) offloaded pieces of work wait already"))
        }
    }

    private func spawn() {
        var thread = pthread_t()
        let status = pthread_create(&thread, nil, Self.main, Unmanaged.passUnretained(self).toOpaque())
        guard status != 0 else {
            pthread_detach(thread)
            return
        }
        // Others will come to what waits, if there are any.
        let stranded = state.withLock { state in
            state.threads -= 1
            guard state.threads == 0 else { return [Job]() }
            defer { state.waiting = [] }
            return state.waiting
        }
        for job in stranded { job.refuse(ActorError(.limitExceeded, "no thread can be started")) }
    }

    private func work() -> Never {
        var tell: (@Sendable () -> Void)?
        while true {
            let job = state.withLock { state -> Job? in
                guard state.waiting.isEmpty else { return state.waiting.removeFirst() }
                state.idle += 1
                return nil
            }
            // Whoever offloads again at once finds this thread free.
            tell?()
            tell = job?.run()
            if job == nil { sem_wait(wakeUp) }
        }
    }

    private static let main: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { pointer in
        guard let pointer else { return nil }
        Unmanaged<OffloadPool>.fromOpaque(pointer).takeUnretainedValue().work()
    }
}
