internal import DurableCore
internal import DurableStore

/// Calls that their callers do not want any more.
extension ActorHost {
    /// A call that waits never runs; one that runs is told.
    func cancel(_ call: InboundCall, _ cancellation: CallFrame.Cancellation) {
        call.isCancelled = true
        if terminator === call, !call.isRunning, call.running == nil {
            terminator = nil
            return neverRun(call)
        }
        if mailbox.remove(in: call.lane, where: { $0 === call }) != nil { return neverRun(call) }
        guard let (turn, task) = call.running else { return }
        turn.cancelled(cancellation)
        task.cancel()
    }

    /// Ends a call that has not begun. From when this is stored, no retry can begin it either.
    func neverRun(_ call: InboundCall) {
        let outcome = CallOutcome.failed(CallerChannel.cancelledError(actor: id))
        let completion = Completion(
            id: call.frame.id,
            firstIncomplete: call.frame.firstIncomplete,
            fingerprint: call.fingerprint,
            outcome: outcome,
            deduplication: call.frame.deduplication
        )
        let writeSet = host.isStored ? WriteSet(actor: id, changes: [], completion: completion) : nil
        let isRecorded = writeSet != nil
        let held = WorkerHost.HeldReply(actor: self, call: call, outcome: outcome, isRecorded: isRecorded)
        host.gate.hold(writeSet, reply: held)
    }
}
