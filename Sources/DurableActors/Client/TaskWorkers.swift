internal import DurableCore
internal import DurableStore
internal import Glibc
internal import Synchronization

/// The calling side of remote tasks.
extension ActorRuntime {
    /// Has a task run by the next idle worker.
    /// - Parameter ended: Told how the task ended, or why it did not, once.
    func carryOut(
        _ order: TaskOrder,
        _ options: TaskOptions,
        _ ended: @escaping @Sendable (Result<CallOutcome, any Error>) -> Void
    ) throws {
        guard options.maxRetries.isValid else {
            let allowed = "allowed are 0, a positive number, or .unlimited (-1)"
            throw ActorError(.invalidArgument, "maxRetries is \(options.maxRetries.rawValue); \(allowed)")
        }
        let effort = PoolWorkers<TaskWorker>.Effort(retries: options.maxRetries)
        let decoder = decoder
        let isRepeated = options.maxRetries != 0
        let attempt = Mutex(Self.renewed(order, isRepeated: isRepeated))
        taskPool.submit(effort) { worker in
            while true {
                let outcome = try await Self.run(attempt.withLock { Self.sent(&$0) }, on: worker)
                guard let retryIf = options.retryIf else { return outcome }
                do {
                    try CallResult.check(outcome, decoder)
                    return outcome
                } catch {
                    guard retryIf(error), effort.takeRetry() else { return outcome }
                    // It may have had its effects, and is to have them again.
                    attempt.withLock { $0 = Self.renewed(order, isRepeated: isRepeated) }
                }
            }
        } ended: { result in
            withExtendedLifetime(order.references) {}
            ended(result.mapError { Self.failure(of: order, $0) })
        }
    }

    private static func run(_ order: TaskOrder, on worker: TaskWorker) async throws -> CallOutcome {
        let end = try await worker.run(order)
        // Nobody waits for it: records that are not released expire.
        if end.hasRecords { _ = worker.submit { try await $0.releaseRecords() } }
        return end.outcome
    }

    /// The order under a name of its own, if it needs one.
    private static func renewed(_ order: TaskOrder, isRepeated: Bool) -> TaskOrder {
        var order = order
        var generator = SystemRandomNumberGenerator()
        order.name = isRepeated ? CallKey(random: &generator) : nil
        return order
    }

    /// The order as it is sent now; sent again, it says when it was first sent.
    private static func sent(_ order: inout TaskOrder) -> TaskOrder {
        defer { if order.firstSent == 0 { order.firstSent = max(1, MachineClock.bootMilliseconds) } }
        return order
    }

    /// The pool of task workers of this process, made when it is first needed.
    private var taskPool: PoolWorkers<TaskWorker> {
        tasks.withLock { tasks in
            if let tasks { return tasks }
            let idle = PoolWorkers<TaskWorker>.Idleness(max: taskWorkerIdleTime) { [weak self] worker in
                // One that cannot be ended now ends with this process.
                _ = try? await self?.ask(.kill(worker.id, noRestart: true))
            }
            let pool = PoolWorkers<TaskWorker>(growsTo: taskWorkersMax, idle: idle) { [weak self] in
                guard let self else { throw ActorError(.runtimeStopped, "the runtime is gone") }
                return try await makeTaskWorker()
            }
            tasks = pool
            return pool
        }
    }

    /// As many as there are cores. A task that waits for its own tasks uses no core, so that one more is enough for
    /// these, and tasks that submit tasks that submit tasks do not multiply.
    private var taskWorkersMax: Int {
        if case .worker(let host) = membership, host.assignment.record.typeDescription == TaskWorker.title { return 1 }
        return max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    }

    /// A worker belongs to this process, whoever's task is the first.
    private func makeTaskWorker() async throws -> TaskWorker {
        let employer = try TaskWorker.Employer.current()
        return try await Turn.$current.withValue(nil) {
            try await TaskRun.$current.withValue(nil) {
                try await spawn(TaskWorker.self, employer, options: TaskWorker.options)
            }
        }
    }

    private static func failure(of order: TaskOrder, _ error: any Error) -> any Error {
        guard let error = error as? ActorError, error.actor != nil else { return error }
        if error.code == .cancelled {
            return ActorError(.cancelled, "the task \(order.title) was cancelled before it began, and did not run")
        }
        guard error.code == .died else { return error }
        return ActorError(.died, "the task \(order.title) was given up: its worker died with it", cause: error.message)
    }
}
