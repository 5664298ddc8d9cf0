/// Runs tasks on a loop like the loop itself, but a task that returns from an actor of the loop to code that belongs to
/// no actor goes on before anything else runs.
///
/// So nothing comes between the last thing that a task does in an actor and what its caller does next. A task that
/// enters an actor after that queues again, so tasks that go to and fro let others run.
package final class PromptExecutor: TaskExecutor {
    private let loop: EventLoop

    /// Makes an executor that runs everything on this loop.
    package init(_ loop: EventLoop) { self.loop = loop }

    /// Hands over a job of a task outside of actors.
    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if loop.isCurrent, loop.confined.runningJob == unsafeBitCast(job, to: UInt.self) {
            // It is the running task itself: it has just left an actor.
            loop.confined.continuation = (job, self)
        } else {
            loop.submit(.promptJob(job, self))
        }
    }

    /// Runs a job that waited in the loop's queue; it enters the loop's actors without another trip.
    func run(_ job: UnownedJob) {
        job.runSynchronously(isolatedTo: loop.asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
    }

    /// Goes on with a task that has just left an actor.
    func proceed(with job: UnownedJob) { job.runSynchronously(on: asUnownedTaskExecutor()) }
}
