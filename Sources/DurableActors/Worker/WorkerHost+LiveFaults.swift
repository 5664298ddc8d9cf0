internal import DurableCore
internal import DurableProcess
internal import DurableStore
internal import DurableTransport
internal import Glibc

/// The faults that this process is told to show while it runs.
extension WorkerHost {
    /// Sends a call's outcome to everyone who wants it.
    func send(_ reply: ReplyFrame, to call: InboundCall) {
        // A rehearsal that is not over yet takes no fault from the actor that the process hosts by now.
        guard LiveFaults.current.isArmed || delayedReplies != nil, !isRehearsal else { return call.answer(reply) }
        sendAmidFaults(reply, to: call)
    }

    private func sendAmidFaults(_ reply: ReplyFrame, to call: InboundCall) {
        // A stream keeps its order: what comes behind a reply that is late is late as well.
        guard delayedReplies == nil else {
            delayedReplies?.append((call, reply))
            return
        }
        guard let fault = LiveFaults.current.takeReply() else { return call.answer(reply) }
        switch fault.kind {
        case .dropReply:
            // Nothing gets lost on a connection that lasts. Who waits asks again.
            let error = TransportError(.closed, "a fault ends the connection before a reply")
            for caller in call.callers { caller.connection.fail(error) }
        case .duplicateReply:
            call.answer(reply)
            call.answer(reply)
        case .delayReply:
            delayedReplies = [(call, reply)]
            loop.schedule(after: .milliseconds(fault.milliseconds)) { [self] in
                let late = delayedReplies ?? []
                delayedReplies = nil
                for (call, reply) in late { call.answer(reply) }
            }
        default:
            call.answer(reply)
        }
    }

    /// Has a shard meet the faults of its disk and of the clock.
    func showFaults(of store: ShardStore) {
        guard !isRehearsal else { return }
        store.readClocks = {
            var reading = MachineClock.reading()
            reading.wallMilliseconds += LiveFaults.current.clockOffset
            return reading
        }
        store.beforeCommit = { () throws(StoreError) in
            switch LiveFaults.current.takeDisk() {
            case nil: break
            case .slow(let time): Self.stall(time)
            case .failed: throw StoreError(.failed, "committing: \(Self.text(of: EIO)), by a fault that was injected")
            case .full: throw StoreError(.full, "committing: \(Self.text(of: ENOSPC)), by a fault that was injected")
            }
        }
    }

    /// Blocks this thread, as a disk does that does not answer.
    private static func stall(_ time: Duration) {
        let (seconds, attoseconds) = time.components
        var time = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
        var left = timespec()
        while nanosleep(&time, &left) != 0, errno == EINTR { time = left }
    }

    private static func text(of number: Int32) -> String { String(cString: strerror(number)) }
}
