internal import CBOR
internal import Distributed
internal import DurableCore
internal import DurableStore
internal import DurableTransport

#if SEEDED_BUGS
internal import SeededBugs
#endif

/// Deduplication and turns.
extension ActorHost {
    /// Answers a call that was made before, and lets a new one in.
    func admit(_ inbound: InboundCall) {
        switch state {
        case .refused(let error):
            return refuse(inbound, error)
        case .unbuilt, .building:
            // Whether the call was made before cannot be looked up now.
            parked.append(inbound)
            return build()
        case .ready(let activation):
            admit(inbound, to: activation)
        }
    }

    private func admit(_ inbound: InboundCall, to activation: Activation) {
        guard parked.isEmpty else {
            // Others wait that came before it.
            return parked.append(inbound)
        }
        let call = inbound.frame
        if let first = open[call.name] {
            // It came again while the first attempt still runs: both get its outcome.
            guard first.fingerprint == inbound.fingerprint else { return refuse(inbound, reused(call)) }
            guard !first.isRunning || !waiting(for: call).contains(call.name) else {
                return refuse(inbound, call.waiting.error(of: id))
            }
            first.join(inbound)
            if let cancellation = call.cancellation { cancel(first, cancellation) }
            return
        }
        guard terminator == nil else {
            // They came too late, unless the actor stays.
            return parked.append(inbound)
        }
        do throws(StoreError) {
            if try answersFromRecord(inbound) { return }
            if let error = try refusal(of: call) { return refuse(inbound, error) }
        } catch {
            refuse(inbound, error.callerError(for: id))
            // Which calls have run is not known any more, so none may run.
            if error.code == .unreadable { quarantine(error) }
            return
        }
        do throws(ActorError) {
            let type = definition.typeDescription
            inbound.lane = try methods.lane(of: call, type: type, on: activation.instance)
        } catch {
            refuse(inbound, error)
            return
        }
        guard !waitsForItself(inbound) else { return refuse(inbound, call.waiting.error(of: id)) }
        open[call.name] = inbound
        // Its caller does not know whether it has run. It has not.
        guard call.cancellation == nil else { return neverRun(inbound) }
        if let letter = host.deadLetters[.call(id, call.id)] { return bury(inbound, letter) }
        if call.method == CallFrame.terminationMethod {
            terminator = inbound
            terminateWhenIdle()
        } else if let next = mailbox.arrived(inbound, in: inbound.lane) {
            begin(next)
        }
    }

    /// Begins the call that ends the actor, when all that came before have returned.
    func terminateWhenIdle() {
        guard let terminator, !mailbox.isPaused, mailbox.count + mailbox.runningCount == 0 else { return }
        if let call = mailbox.arrived(terminator) { begin(call) }
    }

    private func quarantine(_ error: StoreError) {
        let cause = DeathCause.quarantined(message: error.description)
        host.refused(self, cause)
        guard !host.isShared else { return }
        refuse(CallerChannel.diedError(actor: id, type: definition.typeDescription, cause: cause, restarts: 0))
    }

    /// The actor's calls that wait for one that arrives.
    private func waiting(for call: CallFrame) -> Set<CallName> {
        call.waiting.turns.isEmpty ? [] : call.waiting.calls(of: id, in: host.epoch)
    }

    /// Whether everything that runs in a call's lane waits for the call: then it can never start.
    private func waitsForItself(_ inbound: InboundCall) -> Bool {
        let waiting = waiting(for: inbound.frame)
        guard !waiting.isEmpty else { return false }
        let running = waiting.count { name in
            guard let call = open[name] else { return false }
            return call.isRunning && call.lane == inbound.lane
        }
        return mailbox.isFilled(inbound.lane, by: running)
    }

    /// The turn of a call. Calls of a serial actor never overlap: the next begins when this one has ended.
    ///
    /// Turns that interleave are run by an executor which never leaves a turn between its method's return and `finish`:
    /// otherwise another turn's write set could take what this one has changed, without its completion record.
    ///
    /// A task is good for several turns, one after the other: calls that wait begin where the one before them has ended.
    func begin(_ call: InboundCall) {
        if isHandingOver, following == nil, !host.loop.isBatchOver {
            following = (call, generation)
            return
        }
        let turn = Turn(self, call: call.frame, generation: generation)
        // Ends with the last turn; nobody waits for a turn but its caller.
        let task = Task(executorPreference: turnExecutor) { [self] in
            guard turn.generation == self.generation else { return notBegun(call) }
            guard let task = call.running?.task else { return }
            await run(call, in: turn, isLast: false)
            var turns = 1
            while let (next, generation) = following.take() {
                guard generation == self.generation else { return notBegun(next) }
                turns += 1
                let turn = Turn(self, call: next.frame, generation: generation)
                next.running = (turn, task)
                await run(next, in: turn, isLast: turns == Limits.turnsInARowMax)
            }
        }
        call.running = (turn, task)
    }

    /// - Parameter isLast: Whether others are to have the loop after it.
    private func run(_ call: InboundCall, in turn: Turn, isLast: Bool) async {
        call.isRunning = true
        turn.begins()
        turn.noted(at: host.notes.begin(.call(id, call.frame.id)))
        let result = await Turn.$current.withValue(turn) { await run(call) }
        host.assertOnLoop()
        call.running = nil
        // A task that was cancelled is no good for another turn.
        isHandingOver = isSerial && !isLast && !Task.isCancelled
        finish(call, result, turn)
        isHandingOver = false
        host.notes.end(turn.takeNote())
    }

    /// The instance was dropped before the turn began: it has seen nothing that is lost, and runs on what is built.
    private func notBegun(_ call: InboundCall) {
        call.running = nil
        if case .refused = state { return }
        guard mailbox.isPaused else { return begin(call) }
        mailbox.putBack(call, in: call.lane)
        build()
    }

    /// What a turn came to, and whether the method was run at all.
    private typealias TurnResult = (outcome: CallOutcome, hasRun: Bool)

    private func run(_ call: InboundCall) async -> TurnResult {
        guard !call.isCancelled else { return (.failed(CallerChannel.cancelledError(actor: id)), false) }
        let frame = call.frame
        guard let activation else {
            let message = "the actor's state could not be read again yet"
            return (.failed(ActorError(.storageFailed, message, actor: id)), false)
        }
        guard frame.method != CallFrame.terminationMethod else { return await terminate(activation.instance) }
        // It runs like any other, so everything before it has.
        guard frame.method != CallFrame.readinessMethod else { return (.returned([]), false) }
        let method: MethodDispatch
        do throws(ActorError) {
            method = try methods.check(frame, of: definition.typeDescription, on: activation.instance)
        } catch {
            return (.failed(error), false)
        }
        return await execute(frame, method, on: activation.instance)
    }

    /// Everything that came before has run.
    private func terminate<Act: DurableActor>(_ instance: Act) async -> TurnResult {
        do {
            try await instance.whenLocal { try await $0.willTerminate() }
        } catch {
            WorkerMain.log("\(definition.typeDescription) \(id) terminates although its hook threw: \(error)")
        }
        do {
            try await ActorContext.exit()
        } catch {
            return (CallOutcome(throwing: error), false)
        }
    }

    private func execute<Act: DurableActor>(
        _ frame: CallFrame,
        _ method: MethodDispatch,
        on instance: Act
    ) async -> TurnResult {
        host.passes(.workerBeforeMethod)
        do {
            if let outcome = try await method.run(frame, on: instance, host.runtime) { return (outcome, true) }
            return (.failed(ActorError(.internalError, "the method ended without an outcome", actor: id)), false)
        } catch let error as ActorError {
            return (.failed(error), false)
        } catch {
            let message = "the call cannot be run; caller and worker may be of different versions"
            return (.failed(ActorError(.unknownMethod, message, actor: id, cause: "\(error)")), false)
        }
    }

    /// A turn is over: what has changed since the last write set, also by turns that are still open, is held together
    /// with its outcome.
    private func finish(_ call: InboundCall, _ result: TurnResult, _ turn: Turn) {
        host.passes(.workerAfterMethod)
        let generation = turn.generation
        let (needsRecord, released) = turn.end()
        // Otherwise what it changed went with the instance that was dropped under it, and its callers know.
        guard generation == self.generation, let activation else { return }
        call.isRunning = false
        do {
            // Who chose a key wants the same answer each time, also to a call that changed nothing.
            let isExplicit = call.frame.deduplication?.isExplicit == true
            let isKept = result.hasRun && isExplicit || call.isCancelled
            let writeSet = try writeSet(of: call, result.outcome, activation, isKept: needsRecord || isKept)
            let held = WorkerHost.HeldReply(
                actor: self,
                call: call,
                outcome: result.outcome,
                isRecorded: writeSet != nil,
                released: released
            )
            #if SEEDED_BUGS
            if writeSet == nil, SeededBug.readBeforeCommit.isActive { answerAtOnce(held) }
            #endif
            host.gate.hold(writeSet, reply: held)
        } catch {
            return cannotEncode(error, endOf: call)
        }
        if host.gate.count >= Limits.commitGroupCallsMax { host.flush() }
        guard generation == self.generation else { return }
        if let next = mailbox.finished(in: call.lane) { begin(next) }
        if terminator === call { goesOn() } else { terminateWhenIdle() }
    }

    /// It could not end, so those run that came meanwhile.
    private func goesOn() {
        terminator = nil
        let waiting = parked
        parked = []
        for call in waiting { admit(call) }
    }

    /// State that cannot be stored must not stay in memory either, nor what else has changed since the last write set.
    /// - Parameter call: The call at whose end this was found; `nil` when it was in the middle of one.
    func cannotEncode(_ cause: any Error, endOf call: InboundCall? = nil) {
        let generation = generation
        host.flush()
        if let call {
            let message = "what the call changed cannot be encoded, and nothing was changed"
            refuse(call, ActorError(.serialization, message, actor: id, cause: "\(cause)"))
        }
        guard generation == self.generation else { return }
        let message = """
            a change of the actor cannot be encoded; what this call has changed since the last commit is not kept, nor \
            is what other open calls have
            """
        drop(ActorError(.serialization, message, actor: id, cause: "\(cause)"))
        build()
    }

    private func writeSet(
        of call: InboundCall,
        _ outcome: CallOutcome,
        _ activation: Activation,
        isKept: Bool
    ) throws -> WriteSet? {
        let changes = try activation.takeChanges()
        #if SEEDED_BUGS
        if case .threw = outcome, SeededBug.thrownChangesUnstored.isActive { return nil }
        #endif
        guard !changes.isEmpty || isKept else { return nil }
        let id = call.frame.id
        let completion = Completion(
            id: id,
            // Later calls of the session may have come meanwhile and said more.
            firstIncomplete: max(call.frame.firstIncomplete, min(id.sequence, sessions[id.session]?.frontier ?? 0)),
            fingerprint: call.fingerprint,
            outcome: try outcome.whole(),
            deduplication: call.frame.deduplication
        )
        return WriteSet(actor: self.id, changes: changes, schema: activation.type.version, completion: completion)
    }

    /// Answers a call that was not run.
    func refuse(_ call: InboundCall, _ error: ActorError) {
        // The call that has this id and runs may be another one.
        if open[call.frame.name] === call { open[call.frame.name] = nil }
        host.send(reply(to: call, .failed(error)), to: call)
    }

    func reply(to call: InboundCall, _ outcome: CallOutcome, isRecorded: Bool = false) -> ReplyFrame {
        ReplyFrame(
            sequence: call.frame.id.sequence,
            actor: call.frame.actor,
            epoch: host.epoch,
            version: host.store?.fence.version ?? 0,
            outcome: outcome,
            isRecorded: isRecorded
        )
    }
}
