internal import CBOR
internal import Distributed
internal import DurableCore
internal import DurableStore
internal import DurableTransport

/// Deduplication and turns.
extension ActorHost {
    /// Answers a call that was made before, and lets a new one in.
    func admit(_ inbound: InboundCall, on connection: Connection) {
        switch state {
        case .refused(let error):
            return refuse(inbound, error)
        case .unbuilt, .building:
            // Whether the call was made before cannot be looked up now.
            parked.append(inbound)
            return build()
        case .ready:
            break
        }
        guard parked.isEmpty else {
            // Others wait that came before it.
            return parked.append(inbound)
        }
        let call = inbound.frame
        if let first = open[call.id] {
            // Sent again while the first attempt still runs: both get its outcome.
            guard first.fingerprint == inbound.fingerprint else { return refuse(inbound, reused(call.id)) }
            if !first.connections.contains(where: { $0 === connection }) { first.connections.append(connection) }
            return
        }
        do {
            if try answersFromRecord(inbound) { return }
        } catch {
            refuse(inbound, error.callerError(for: id))
            return
        }
        open[call.id] = inbound
        if let letter = host.deadLetters[.call(id, call.id)] { return bury(inbound, letter) }
        if let next = mailbox.arrived(inbound) { begin(next) }
    }

    /// The turn of a call. Calls of a serial actor never overlap: the next begins when this one has ended.
    func begin(_ call: InboundCall) {
        let turn = Turn(self, call: call.frame.id, generation: generation)
        // Ends with the turn; nobody waits for a turn but its caller.
        Task(executorPreference: host.loop) { [self] in
            guard turn.generation == self.generation else { return notBegun(call) }
            let note = host.notes.begin(.call(id, call.frame.id))
            defer { host.notes.end(note) }
            let outcome = await Turn.$current.withValue(turn) { await run(call.frame) }
            host.assertOnLoop()
            finish(call, outcome, turn.generation)
        }
    }

    /// The instance was dropped before the turn began: it has seen nothing that is lost, and runs on what is built.
    private func notBegun(_ call: InboundCall) {
        if case .refused = state { return }
        mailbox.putBack(call)
        build()
    }

    /// Answers a call that was made before from its completion record. False when it is to be run.
    private func answersFromRecord(_ inbound: InboundCall) throws(StoreError) -> Bool {
        guard let store = host.store else { return false }
        let call = inbound.frame
        let id = call.id
        var progress: SessionProgress
        if let known = sessions[id.session] {
            progress = known
        } else {
            progress = try store.progress(of: id.session, with: self.id)
        }
        progress.frontier = max(progress.frontier, call.firstIncomplete)
        sessions[id.session] = progress
        guard id.sequence >= progress.frontier else {
            // Its caller has had the outcome, and the record is gone: a copy of the frame was late.
            let message = "call \(id.sequence) was answered before, and its record is gone; it was not run again"
            refuse(inbound, ActorError(.staleCall, message, actor: self.id))
            return true
        }
        guard id.sequence <= progress.highest, let known = try store.completion(of: id, for: self.id) else {
            return false
        }
        guard known.fingerprint == inbound.fingerprint else {
            refuse(inbound, reused(id))
            return true
        }
        open[id] = inbound
        host.gate.hold(nil, reply: WorkerHost.HeldReply(actor: self, call: inbound, outcome: known.outcome))
        return true
    }

    private func run(_ frame: CallFrame) async -> CallOutcome {
        do throws(ActorError) {
            try methods.check(frame.method, of: definition.typeDescription, actor: id)
        } catch {
            return .failed(error)
        }
        guard let activation else {
            return .failed(ActorError(.storageFailed, "the actor's state could not be read again yet", actor: id))
        }
        return await execute(frame, on: activation.instance, host.runtime)
    }

    private func execute<Act: DurableActor>(
        _ frame: CallFrame,
        on instance: Act,
        _ runtime: ActorRuntime
    ) async -> CallOutcome {
        let handler = CallResultHandler()
        var decoder = CallDecoder(frame, runtime: runtime)
        do {
            try await runtime.executeDistributedTarget(
                on: instance,
                target: RemoteCallTarget(frame.method),
                invocationDecoder: &decoder,
                handler: handler
            )
        } catch let error as ActorError {
            return .failed(error)
        } catch {
            let message = "the call cannot be run; caller and worker may be of different versions"
            return .failed(ActorError(.unknownMethod, message, actor: id, cause: "\(error)"))
        }
        return handler.outcome
            ?? .failed(ActorError(.internalError, "the method ended without an outcome", actor: id))
    }

    private func finish(_ call: InboundCall, _ outcome: CallOutcome, _ generation: Int) {
        if generation == self.generation, let activation {
            do {
                let writeSet = try writeSet(of: call, outcome, activation)
                host.gate.hold(writeSet, reply: WorkerHost.HeldReply(actor: self, call: call, outcome: outcome))
            } catch {
                // State that cannot be stored must not stay in memory either.
                host.flush()
                let message = "what the call changed cannot be encoded, and nothing was changed"
                refuse(call, ActorError(.serialization, message, actor: id, cause: "\(error)"))
                guard generation == self.generation else { return }
                drop()
                build()
                return
            }
        } else {
            // What this turn changed went with the activation that was dropped under it.
            let message = "the state was dropped because an earlier change could not be stored; nothing was changed"
            refuse(call, ActorError(.storageFailed, message, actor: id))
        }
        if host.gate.count >= Limits.commitGroupCallsMax { host.flush() }
        guard generation == self.generation else { return }
        if let next = mailbox.finished() { begin(next) }
    }

    private func writeSet(
        of call: InboundCall,
        _ outcome: CallOutcome,
        _ activation: Activation
    ) throws -> WriteSet? {
        let changes = try activation.takeChanges()
        guard !changes.isEmpty else { return nil }
        let completion = Completion(
            id: call.frame.id,
            firstIncomplete: call.frame.firstIncomplete,
            fingerprint: call.fingerprint,
            outcome: outcome
        )
        return WriteSet(actor: id, changes: changes, schema: activation.type.version, completion: completion)
    }

    /// Answers a call that was not run.
    func refuse(_ call: InboundCall, _ error: ActorError) {
        // The call that has this id and runs may be another one.
        if open[call.frame.id] === call { open[call.frame.id] = nil }
        call.answer(reply(to: call, .failed(error)))
    }

    func reply(to call: InboundCall, _ outcome: CallOutcome) -> ReplyFrame {
        ReplyFrame(
            sequence: call.frame.id.sequence,
            actor: call.frame.actor,
            epoch: host.epoch,
            version: host.store?.fence.version ?? 0,
            outcome: outcome
        )
    }

    private func reused(_ id: CallID) -> ActorError {
        let message = "call \(id.sequence) of session \(id.session) was made before with another method or arguments"
        return ActorError(.callIdReused, message, actor: self.id)
    }
}
