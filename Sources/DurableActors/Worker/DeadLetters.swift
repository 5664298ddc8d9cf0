internal import DurableCore
internal import DurableStore

#if SEEDED_BUGS
internal import SeededBugs
#endif

/// Calls that crashed earlier lives: they are answered and not run.
extension WorkerHost {
    /// Makes durable what the supervisor has decided, and reads what was decided before.
    func learnDeadLetters() throws(StoreError) {
        guard let store else { return }
        let orders = assignment.deadLetters
        // One transaction: from here on it is decided, whoever dies.
        if !orders.isEmpty {
            passes(.workerBeforeDeadLetters)
            try store.commit(
                orders.map {
                    WriteSet(actor: $0.actor, changes: [.deadLetter($0.call, StoredDeadLetter($0))])
                }
            )
            passes(.workerAfterDeadLetters)
        }
        // A call that has come again since is answered from its completion record.
        for letter in try store.deadLetters() where letter.stored.method == nil {
            deadLetters[.call(letter.actor, letter.call)] = letter.stored
        }
        for refusal in assignment.refusals {
            refusals[refusal.actor] = CallerChannel.diedError(
                actor: refusal.actor,
                type: refusal.typeDescription,
                cause: refusal.cause,
                restarts: refusal.restarts
            )
        }
    }
}

extension ActorHost {
    /// A call that must not run has come again: now its arguments are known, and its outcome becomes part of its
    /// session like any other.
    func bury(_ call: InboundCall, _ letter: StoredDeadLetter) {
        var letter = letter
        letter.complete(with: call.frame.whole)
        let outcome = CallOutcome.failed(letter.callerError(for: id))
        let completion = Completion(
            id: call.frame.id,
            firstIncomplete: call.frame.firstIncomplete,
            fingerprint: call.fingerprint,
            outcome: outcome,
            deduplication: call.frame.deduplication
        )
        #if SEEDED_BUGS
        var writeSet = WriteSet(actor: id, changes: [.deadLetter(call.frame.id, letter)], completion: completion)
        if SeededBug.deadLetterUnrecorded.isActive { writeSet.completion = nil }
        #else
        let writeSet = WriteSet(actor: id, changes: [.deadLetter(call.frame.id, letter)], completion: completion)
        #endif
        host.gate.hold(writeSet, reply: WorkerHost.HeldReply(actor: self, call: call, outcome: outcome))
        // Not at the end of the batch: the next call in line may be poison as well.
        host.flush()
    }
}

extension StoredDeadLetter {
    /// What the caller gets, for ever.
    func callerError(for actor: ActorID) -> ActorError {
        let lives = incarnations.map(String.init).joined(separator: ", ")
        let message =
            "the call crashed its worker \(incarnations.count) times in a row (lives \(lives)) and will not be run "
            + "again; the last time \(cause); `durable inspect` shows its arguments and what the worker wrote"
        let said = LastWords(stderr: stderrTail).message
        return ActorError(.poisonCall, message, actor: actor, cause: said.isEmpty ? nil : said)
    }
}
