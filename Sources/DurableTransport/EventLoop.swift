internal import CDurable
internal import Glibc
internal import Synchronization

/// One thread that waits for sockets, timers and work, and runs all of it in turn.
///
/// It is the executor of the actors that live on it: reading, running and replying need no change of thread. A round
/// of the loop is: I/O events, due timers, work items and jobs, the batch-end hook, buffered socket writes.
/// A loop that was stopped drops work that comes later; tasks that wait for it never continue.
package final class EventLoop: Sendable {
    /// Work that any thread hands to the loop.
    enum Work: Sendable {
        case closure(@Sendable () -> Void)
        case job(UnownedJob)
        case promptJob(UnownedJob, PromptExecutor)
    }

    enum Phase { case idle, running, finished }

    /// What other threads and the loop's thread share.
    struct Inbox {
        var work: [Work] = []
        /// Connections that other threads leave to the loop to flush.
        var flushes: [Connection] = []
        /// The alarm is set that wakes the loop for them.
        var isAlarmSet = false
        /// The loop is about to wait or waits; whoever adds work clears this and wakes it.
        var isSleeping = false
        var isStopping = false
        var phase = Phase.idle
    }

    /// What only the loop's thread touches.
    struct Confined {
        /// Work that was taken out of the inbox; `workIndex` is the next item.
        var work: [Work] = []
        var workIndex = 0
        /// How long a batch may take.
        var batchNanoseconds = EventLoop.batchTime.wholeNanoseconds
        /// When the batch has taken long enough.
        var batchDeadline: UInt64 = 0
        /// Told which job runs.
        var jobWatch: (@Sendable (UInt) -> Void)?
        /// The job that runs, if any.
        var runningJob: UInt = 0
        /// What the running job is to go on with before anything else runs.
        var continuation: (job: UnownedJob, executor: PromptExecutor)?
        var timers = TimerHeap()
        var flushQueue: [Connection] = []
        /// Timers fired after the batch's hook: the hook is due once more before the loop sleeps.
        var owesRound = false
    }

    static let readBufferBytes = 256 << 10
    static let stackBytes = 8 << 20
    static let wakeKey: UInt64 = 0
    static let alarmKey: UInt64 = .max
    /// How long what other threads leave to a sleeping loop to write may wait for what follows it.
    static let alarmNanoseconds: UInt64 = 50_000
    /// How long a batch may take before what it has finished is committed and sent, unless more was allowed.
    static let batchTime = Duration.microseconds(500)
    /// The most that can be allowed.
    static let batchTimeMax = Duration.milliseconds(8)

    /// The name of the loop and, cut to 15 bytes, of its thread.
    package let name: String
    let epoll: Int32
    private let wakeDescriptor: Int32
    private let alarmDescriptor: Int32
    private let owner = Atomic<UInt>(0)
    let inbox = Mutex(Inbox())
    let sources = Mutex<[UInt64: any EventSource]>([:])
    let batchEnd = Mutex<LoopCallback?>(nil)
    let jobsPerBatchMax = Atomic<Int>(4096)
    let cancelledTimers = Atomic<Int>(0)
    private let finished = OneShotEvent()
    // SAFETY: only the thread that runs the loop touches it.
    nonisolated(unsafe) var confined = Confined()
    // SAFETY: the pointer never changes; only the thread that runs the loop reads or writes the memory behind it.
    nonisolated(unsafe) let readBuffer: UnsafeMutableRawBufferPointer

    private static let ids = Atomic<UInt64>(1)

    /// Makes a loop that does not run yet.
    package init(name: String) throws(TransportError) {
        self.name = name
        epoll = try checked(durable_io_epoll_create(), "cannot create an epoll descriptor")
        let wake = durable_io_wake_create(epoll, EventLoop.wakeKey)
        guard wake >= 0 else {
            _ = Glibc.close(epoll)
            throw TransportError(errno: -wake, "cannot create an event descriptor")
        }
        let alarm = durable_io_alarm_create(epoll, EventLoop.alarmKey)
        guard alarm >= 0 else {
            _ = Glibc.close(wake)
            _ = Glibc.close(epoll)
            throw TransportError(errno: -alarm, "cannot create a timer descriptor")
        }
        wakeDescriptor = wake
        alarmDescriptor = alarm
        readBuffer = .allocate(byteCount: EventLoop.readBufferBytes, alignment: 16)
    }

    deinit {
        _ = Glibc.close(epoll)
        _ = Glibc.close(wakeDescriptor)
        _ = Glibc.close(alarmDescriptor)
        readBuffer.deallocate()
    }

    /// Whether the caller is on the loop's thread.
    package var isCurrent: Bool { owner.load(ordering: .relaxed) == pthread_self() }

    /// The job that runs, as `watchJobs` tells it; 0 when none does, and on other threads.
    package var runningJob: UInt { isCurrent ? confined.runningJob : 0 }

    /// Whether what runs should let the batch end, so that what is finished is committed and sent. Only on the loop.
    package var isBatchOver: Bool { durable_io_now() >= confined.batchDeadline }

    /// Lets batches take this long, within bounds: what ends them is dear, and worth more work at a time. Only on the
    /// loop.
    package func allowBatches(of duration: Duration) {
        confined.batchNanoseconds = min(max(duration, Self.batchTime), Self.batchTimeMax).wholeNanoseconds
    }

    /// Runs `work` on the loop, after everything that was handed over before; from any thread.
    package func execute(_ work: @escaping @Sendable () -> Void) {
        submit(.closure(work))
    }

    /// Calls `hook` on the loop after each batch, before buffered socket writes go out and before the loop sleeps.
    ///
    /// Work that the hook hands over makes another round without sleeping.
    package func setBatchEnd(_ hook: (@Sendable () -> Void)?) {
        let callback = hook.map { LoopCallback(run: $0) }
        batchEnd.withLock { $0 = callback }
    }

    /// Tells `watch` before each job which one it is, and 0 after it. A task is the same job each time it runs. Only on
    /// the loop.
    package func watchJobs(_ watch: @escaping @Sendable (UInt) -> Void) {
        precondition(isCurrent, "the jobs of a loop are watched from the loop")
        confined.jobWatch = watch
    }

    /// Bounds the work items and jobs of one batch, so that the hook runs regularly.
    package func setJobsPerBatchMax(_ count: Int) {
        jobsPerBatchMax.store(max(1, count), ordering: .relaxed)
    }

    /// Asks the loop to end: it finishes its batch, writes what is buffered, closes its connections and returns.
    package func stop() {
        let wakes = inbox.withLock { inbox in
            inbox.isStopping = true
            return inbox.takeSleep()
        }
        if wakes { wake() }
    }

    /// Waits until a loop that was started has ended; returns at once if it never was.
    package func join() {
        precondition(!isCurrent, "an event loop cannot wait for its own end")
        guard inbox.withLock({ $0.phase != .idle }) else { return }
        finished.wait()
    }

    /// Hands over work; false if the loop has ended and the work is dropped.
    @discardableResult
    func submit(_ work: Work) -> Bool {
        let (isAccepted, wakes) = inbox.withLock { inbox in
            guard inbox.phase != .finished else { return (false, false) }
            inbox.work.append(work)
            return (true, inbox.takeSleep())
        }
        // On the loop's thread the loop is awake, and looks before it sleeps again.
        if wakes, !isCurrent { wake() }
        return isAccepted
    }

    /// Returns a number that no other source of events of this process has had.
    static func nextId() -> UInt64 {
        ids.wrappingAdd(1, ordering: .relaxed).oldValue
    }

    func beginRunning() {
        inbox.withLock { inbox in
            precondition(inbox.phase == .idle, "an event loop runs once")
            inbox.phase = .running
        }
    }

    func setOwner(_ isOwned: Bool) {
        owner.store(isOwned ? pthread_self() : 0, ordering: .relaxed)
        if !isOwned { finished.signal() }
    }

    private func wake() {
        _ = durable_io_wake(wakeDescriptor)
    }

    /// Wakes the loop in a moment.
    func setAlarm() {
        // Without the alarm, at once.
        if durable_io_alarm_set(alarmDescriptor, EventLoop.alarmNanoseconds) < 0 { wake() }
    }
}

extension Duration {
    /// Of a duration that is not negative and shorter than centuries.
    fileprivate var wholeNanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        return UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
    }
}

extension EventLoop.Inbox {
    /// Returns whether the caller has to wake the loop; only the first to ask has to.
    mutating func takeSleep() -> Bool {
        defer { isSleeping = false }
        return isSleeping
    }
}

/// Something that a loop tells about events on a descriptor; known to the loop by number, never by descriptor.
protocol EventSource: AnyObject, Sendable {
    /// Called on the loop with epoll's event bits.
    func ready(_ events: UInt32)
    /// Called on the loop when it ends.
    func loopEnded()
}
