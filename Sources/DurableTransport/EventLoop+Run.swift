internal import CDurable
internal import Glibc
internal import Synchronization

extension EventLoop {
    private static let roundsAfterStopMax = 64

    /// Runs the loop on a thread of its own until `stop()`.
    package func start() {
        beginRunning()
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setstacksize(&attributes, EventLoop.stackBytes)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        defer { pthread_attr_destroy(&attributes) }
        var thread = pthread_t()
        let context = Unmanaged.passRetained(self)
        let result = pthread_create(
            &thread,
            &attributes,
            { context in
                guard let context else { return nil }
                let loop = Unmanaged<EventLoop>.fromOpaque(context).takeRetainedValue()
                _ = durable_io_name_thread(String(decoding: loop.name.utf8.prefix(15), as: UTF8.self))
                loop.runToEnd()
                return nil
            },
            context.toOpaque()
        )
        precondition(result == 0, "cannot start a thread: \(String(cString: strerror(result)))")
    }

    /// Runs the loop on the calling thread until `stop()`.
    package func run() {
        beginRunning()
        runToEnd()
    }

    private func runToEnd() {
        setOwner(true)
        withUnsafeTemporaryAllocation(of: durable_io_event.self, capacity: Int(DURABLE_IO_EVENTS_MAX)) { events in
            guard let buffer = events.baseAddress else { return }
            while !inbox.withLock({ $0.isStopping }) {
                let count = durable_io_epoll_wait(epoll, buffer, Int32(events.count), prepareToWait())
                inbox.withLock { $0.isSleeping = false }
                precondition(count >= 0 || count == -EINTR, "epoll failed: \(String(cString: strerror(-count)))")
                dispatch(UnsafeBufferPointer(start: buffer, count: Int(max(0, count))))
                finishBatch()
            }
        }
        end()
        setOwner(false)
    }

    /// Says how long epoll may wait, and from now on makes whoever adds work wake the loop.
    private func prepareToWait() -> Int64 {
        let isIdle = inbox.withLock { inbox in
            let isIdle =
                inbox.work.isEmpty && confined.workIndex == confined.work.count && confined.flushQueue.isEmpty
                && inbox.flushes.isEmpty && !inbox.isStopping && !confined.owesRound
            inbox.isSleeping = isIdle
            return isIdle
        }
        guard isIdle else { return 0 }
        guard let deadline = confined.timers.firstDeadline else { return -1 }
        let now = durable_io_now()
        return deadline <= now ? 0 : Int64(clamping: deadline - now)
    }

    private func dispatch(_ events: UnsafeBufferPointer<durable_io_event>) {
        for event in events where event.key != EventLoop.wakeKey {
            guard event.key != EventLoop.alarmKey else {
                inbox.withLock { $0.isAlarmSet = false }
                continue
            }
            // A source that an earlier event of this batch removed is not found, whatever its descriptor is now.
            let source = sources.withLock { $0[event.key] }
            source?.ready(event.events)
        }
    }

    private func finishBatch() {
        runWork()
        batchEnd.withLock { $0 }?.run()
        flushConnections()
        // Last: what a timer does may take long, and what is finished does not wait for it.
        confined.owesRound = fireTimers()
    }

    private func fireTimers() -> Bool {
        guard !confined.timers.isEmpty else { return false }
        confined.timers.dropCancelled(cancelledTimers)
        let now = durable_io_now()
        var hasFired = false
        while let timer = confined.timers.popDue(now: now) {
            timer.fire()
            hasFired = true
        }
        return hasFired
    }

    private func runWork() {
        // Work that work makes belongs to the batch, so that what it finishes is committed and sent together; but what
        // is finished does not wait long for what is not.
        let deadline = durable_io_now() + confined.batchNanoseconds
        confined.batchDeadline = deadline
        for _ in 0..<jobsPerBatchMax.load(ordering: .relaxed) {
            if confined.workIndex == confined.work.count {
                forgetWork()
                takeWork()
            }
            guard confined.workIndex < confined.work.count else { break }
            let work = confined.work[confined.workIndex]
            confined.workIndex += 1
            perform(work)
            if durable_io_now() >= deadline { break }
        }
        // What has run must not live on in a loop that sleeps.
        if confined.workIndex == confined.work.count { forgetWork() }
    }

    private func forgetWork() {
        confined.work.removeAll(keepingCapacity: confined.work.capacity <= 4096)
        confined.workIndex = 0
    }

    private func takeWork() {
        inbox.withLock { inbox in
            inbox.isSleeping = false
            swap(&inbox.work, &confined.work)
        }
    }

    private func perform(_ work: Work) {
        switch work {
        case .closure(let closure): closure()
        case .job(let job):
            perform(job, on: nil)
        case .promptJob(let job, let executor):
            perform(job, on: executor)
        }
    }

    private func perform(_ job: UnownedJob, on executor: PromptExecutor?) {
        // A task is its own job: the number stays the same over all of its suspensions.
        let number = unsafeBitCast(job, to: UInt.self)
        confined.jobWatch?(number)
        confined.runningJob = number
        if let executor { executor.run(job) } else { run(job) }
        while let (job, executor) = confined.continuation {
            confined.continuation = nil
            executor.proceed(with: job)
        }
        confined.runningJob = 0
        confined.jobWatch?(0)
    }

    private func flushConnections() {
        inbox.withLock { inbox in
            guard !inbox.flushes.isEmpty else { return }
            confined.flushQueue += inbox.flushes
            inbox.flushes.removeAll(keepingCapacity: true)
        }
        guard !confined.flushQueue.isEmpty else { return }
        var connections: [Connection] = []
        swap(&connections, &confined.flushQueue)
        for connection in connections { connection.flushAtBatchEnd() }
    }

    /// Runs what was handed over and writes what is buffered, then closes what is open, all within a bound.
    private func end() {
        for _ in 0..<EventLoop.roundsAfterStopMax where hasWork { finishBatch() }
        for _ in 0..<EventLoop.roundsAfterStopMax {
            let open = sources.withLock { Array($0.values) }
            for source in open { source.loopEnded() }
            finishBatch()
            if !hasWork, sources.withLock({ $0.isEmpty }) { break }
        }
        let dropped = inbox.withLock { inbox in
            inbox.phase = .finished
            defer { inbox.work = [] }
            return inbox.work
        }
        // Dropping closures can run code of their owners, which must not happen under the lock.
        withExtendedLifetime((dropped, confined)) { confined = Confined() }
        setBatchEnd(nil)
        for source in sources.withLock({ Array($0.values) }) { source.loopEnded() }
    }

    private var hasWork: Bool {
        confined.workIndex < confined.work.count || inbox.withLock { !$0.work.isEmpty || !$0.flushes.isEmpty }
    }
}

extension EventLoop {
    /// Makes a source known under its number; its descriptor, if it has one, joins through `addToEpoll`.
    func add(_ source: any EventSource, id: UInt64) {
        sources.withLock { $0[id] = source }
    }

    /// Forgets a source; events of it that are already read find nothing.
    func remove(id: UInt64) {
        _ = sources.withLock { $0.removeValue(forKey: id) }
    }

    /// Flushes a connection when the batch ends; from any thread.
    /// - Parameter mayWait: Whether it may wait for a moment when the loop sleeps: for whatever wakes the loop first.
    /// - Returns: Whether it will; not when the loop sleeps and it may not wait, and not when the loop ends.
    func flushSoon(_ connection: Connection, mayWait: Bool) -> Bool {
        let (isTaken, setsAlarm) = inbox.withLock { inbox in
            guard inbox.phase == .running, !inbox.isStopping, mayWait || !inbox.isSleeping else {
                return (false, false)
            }
            inbox.flushes.append(connection)
            guard inbox.isSleeping, !inbox.isAlarmSet else { return (true, false) }
            inbox.isAlarmSet = true
            return (true, true)
        }
        if setsAlarm { setAlarm() }
        return isTaken
    }

    /// Flushes a connection when the batch ends; on the loop only.
    func flushLater(_ connection: Connection) {
        confined.flushQueue.append(connection)
    }
}
