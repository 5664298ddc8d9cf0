/// The loop as the executor of actors (`unownedExecutor`) and of tasks (`executorPreference`).
///
/// Neither the runtime's unowned references nor the actors keep the loop alive: whoever made it has to.
extension EventLoop: SerialExecutor, TaskExecutor {
    package func enqueue(_ job: consuming ExecutorJob) {
        submit(.job(UnownedJob(job)))
    }

    package func asUnownedSerialExecutor() -> UnownedSerialExecutor {
        UnownedSerialExecutor(ordinary: self)
    }

    package func asUnownedTaskExecutor() -> UnownedTaskExecutor {
        UnownedTaskExecutor(ordinary: self)
    }

    package func isIsolatingCurrentContext() -> Bool? { isCurrent }

    package func checkIsolated() {
        precondition(isCurrent, "not on the thread of the event loop \(name)")
    }

    /// Runs a job as both executors, so that a task that prefers this loop enters its actors without another trip
    /// through the queue. A task without that preference pays for it: one trip, on the same thread, for each call
    /// from one actor of the loop to another. The runtime does not say which kind of task a job belongs to.
    func run(_ job: UnownedJob) {
        job.runSynchronously(isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
    }
}
