public import DurableCore

/// Work without state that runs in another process. Ray: a function with `@ray.remote`.
///
/// The value is sent to a worker process, run there, and its result sent back. It may hold handles of actors, and find,
/// make and call actors by the runtime that it is given; what it spawns belongs to whoever submitted the task.
///
/// A task whose worker dies runs again, so that what it does may be done twice. Not so its calls of actors that store
/// their state: a call that the next run makes again, of the same method with the same arguments, is the same call, which
/// runs once, and gives the recorded outcome. So the effect of a task that makes the same calls each time is exactly once
/// on their state. What differs from run to run, as by time or chance, makes other calls; so do an attempt after an error
/// that ``TaskOptions/retryIf`` chose, and tasks that the task submits, which are other tasks in each run. Give such
/// calls an ``CallOptions/idempotencyKey(_:retention:)`` when they must not be repeated.
public protocol RemoteTask: Codable, Sendable {
    /// What it gives.
    associatedtype Output: Codable & Sendable

    /// Does the work, in a worker process.
    /// - Parameter runtime: The runtime that the task was submitted to.
    /// - Throws: Any error; it arrives as its own type when that is `Codable`.
    func run(on runtime: ActorRuntime) async throws -> Output
}

/// How a remote task is run.
public struct TaskOptions: Sendable {
    /// How often the task is run again after its worker died with it, or after an error that ``retryIf`` chooses: 3
    /// times unless given, as in Ray.
    public var maxRetries: RepeatLimit = 3

    /// Which errors that the task throws are worth another attempt; none unless given. Ray: `retry_exceptions`.
    public var retryIf: (@Sendable (any Error) -> Bool)?

    /// Three retries, and none for what the task throws.
    public init() {}

    /// Makes options.
    /// - Parameters:
    ///   - maxRetries: How often the task is run again.
    ///   - retryIf: Which errors that it throws are worth another attempt.
    public init(maxRetries: RepeatLimit = 3, retryIf: (@Sendable (any Error) -> Bool)? = nil) {
        self.maxRetries = maxRetries
        self.retryIf = retryIf
    }
}

extension ActorRuntime {
    /// Runs a task in a worker process, and waits for its result.
    ///
    /// Tasks run in workers of their own, one in each at a time, up to as many as the machine has cores; the others wait
    /// in the order of submission. The workers are kept for later tasks, and end with this process. A task that submits
    /// tasks has one worker for all of these.
    /// - Throws: What the task threw; ``ActorError`` with `died` when its worker died each time, with `invalidArgument`
    ///   when it cannot be found by name or an option is not allowed. `CancellationError` when the waiting task is
    ///   cancelled, which does not end the remote one.
    public func run<Work: RemoteTask>(_ task: Work, options: TaskOptions = TaskOptions()) async throws -> Work.Output {
        try await submit(task, options: options).value
    }

    /// Has a task run in a worker process, and returns at once; see ``run(_:options:)``.
    /// - Returns: A reference to the result. The task runs whether or not anybody asks for it, unless it is cancelled: one
    ///   that waits then never runs, and one that runs sees `Task.isCancelled`; see ``ObjectRef/cancel(recursive:)``.
    public func submit<Work: RemoteTask>(
        _ task: Work,
        options: TaskOptions = TaskOptions()
    ) -> ObjectRef<Work.Output> {
        let cancellation = SubmissionCancellation()
        let settlement = Settlement<Work.Output>(cancelledBy: cancellation, unseen: unseen)
        SubmissionCancellation.$current.withValue(cancellation) {
            begin(task, TaskScope(namespace: scope(nil), owner: owner), options, settlement)
        }
        return ObjectRef(settlement, on: self)
    }

    /// Has a task run once references have their values, and returns at once. Ray: references as arguments.
    /// - Parameters:
    ///   - references: What the task waits for.
    ///   - options: How it is run.
    ///   - task: Makes the task, in this process, of the values in the order of the references.
    /// - Returns: A reference to the result. When one of the calls or tasks fails that are waited for, its error is what
    ///   the reference gives, and the task does not run.
    public func submit<Value: Sendable, Work: RemoteTask>(
        with references: [ObjectRef<Value>],
        options: TaskOptions = TaskOptions(),
        _ task: @escaping @Sendable ([Value]) throws -> Work
    ) -> ObjectRef<Work.Output> {
        let cancellation = SubmissionCancellation()
        let settlement = Settlement<Work.Output>(cancelledBy: cancellation, unseen: unseen)
        let scope = TaskScope(namespace: scope(nil), owner: owner)
        // Nobody owns the task; it ends with those that it waits for.
        let waiting = Task {
            do {
                let work = try task(await get(references))
                SubmissionCancellation.$current.withValue(cancellation) { begin(work, scope, options, settlement) }
            } catch {
                settlement.settle(.failure(error))
            }
        }
        cancellation.begun(waiting)
        return ObjectRef(settlement, on: self)
    }

    /// Has a task run once a reference has its value; see the same for several.
    public func submit<Value: Sendable, Work: RemoteTask>(
        with reference: ObjectRef<Value>,
        options: TaskOptions = TaskOptions(),
        _ task: @escaping @Sendable (Value) throws -> Work
    ) -> ObjectRef<Work.Output> {
        submit(with: [reference], options: options) { values in try task(values[0]) }
    }

    private func begin<Work: RemoteTask>(
        _ task: Work,
        _ scope: TaskScope,
        _ options: TaskOptions,
        _ settlement: Settlement<Work.Output>
    ) {
        do {
            try carryOut(TaskOrder(task, scope), options) { [self] result in
                settlement.settle(
                    result.flatMap { outcome in
                        Result { try CallResult.value(Work.Output.self, of: outcome, decoder) }
                    }
                )
            }
        } catch {
            settlement.settle(.failure(error))
        }
    }

    /// The processes that run remote tasks, of every driver and actor. They are not among ``actors()``.
    public func taskWorkers() async throws -> [ActorSummary] {
        try await hosted().filter { $0.type == TaskWorker.title }
    }
}
