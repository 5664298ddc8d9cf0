internal import CBOR
internal import Distributed
internal import DurableCore
internal import DurableStore
internal import DurableTransport

/// Arrival, deduplication and turns.
extension WorkerHost {
    /// A frame arrived from a caller.
    func received(_ frame: Frame, on connection: Connection) {
        assertOnLoop()
        guard frame.kind == FrameKind.call, let call = try? CallFrame(decoding: frame.payload) else {
            connection.fail(TransportError(.protocolViolation, "a call cannot be read"))
            return
        }
        admit(InboundCall(call, from: connection), on: connection)
    }

    /// Answers a call that was made before, and lets a new one in.
    func admit(_ inbound: InboundCall, on connection: Connection) {
        let call = inbound.frame
        guard store != nil || !isStored else {
            // Whether the call was made before cannot be looked up now.
            parked.append(inbound)
            return
        }
        guard call.actor == actor else {
            refuse(inbound, ActorError(.died, "this worker does not host the actor", actor: call.actor))
            return
        }
        if let first = open[call.id] {
            // Sent again while the first attempt still runs: both get its outcome.
            guard first.fingerprint == inbound.fingerprint else { return refuse(inbound, reused(call.id)) }
            if !first.connections.contains(where: { $0 === connection }) { first.connections.append(connection) }
            return
        }
        do {
            if try answersFromRecord(inbound) { return }
        } catch {
            refuse(inbound, error.callerError(for: actor))
            return
        }
        open[call.id] = inbound
        if let next = mailbox.arrived(inbound) { begin(next) }
    }

    /// The turn of a call. Calls of a serial actor never overlap: the next begins when this one has ended.
    func begin(_ call: InboundCall) {
        let generation = generation
        // Ends with the turn; nobody waits for a turn but its caller.
        Task(executorPreference: loop) { [self] in
            let outcome = await run(call.frame)
            assertOnLoop()
            finish(call, outcome, generation)
        }
    }

    /// Answers a call that was made before from its completion record. False when it is to be run.
    private func answersFromRecord(_ call: InboundCall) throws(StoreError) -> Bool {
        guard let store else { return false }
        let id = call.frame.id
        var progress: SessionProgress
        if let known = sessions[id.session] {
            progress = known
        } else {
            progress = try store.progress(of: id.session, with: actor)
        }
        progress.frontier = max(progress.frontier, call.frame.firstIncomplete)
        sessions[id.session] = progress
        guard id.sequence >= progress.frontier else {
            // Its caller has had the outcome, and the record is gone: a copy of the frame was late.
            let message = "call \(id.sequence) was answered before, and its record is gone; it was not run again"
            refuse(call, ActorError(.staleCall, message, actor: actor))
            return true
        }
        guard id.sequence <= progress.highest, let known = try store.completion(of: id, for: actor) else {
            return false
        }
        guard known.fingerprint == call.fingerprint else {
            refuse(call, reused(id))
            return true
        }
        open[id] = call
        gate.hold(nil, reply: HeldReply(call: call, outcome: known.outcome))
        return true
    }

    private func run(_ frame: CallFrame) async -> CallOutcome {
        do throws(ActorError) {
            try methods.check(frame.method, of: assignment.record.typeDescription, actor: actor)
        } catch {
            return .failed(error)
        }
        guard let runtime, let activation else {
            return .failed(ActorError(.storageFailed, "the actor's state could not be read again yet", actor: actor))
        }
        return await execute(frame, on: activation.instance, runtime)
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
            return .failed(ActorError(.unknownMethod, message, actor: actor, cause: "\(error)"))
        }
        return handler.outcome
            ?? .failed(ActorError(.internalError, "the method ended without an outcome", actor: actor))
    }

    private func finish(_ call: InboundCall, _ outcome: CallOutcome, _ generation: Int) {
        if generation == self.generation, let activation {
            do {
                let writeSet = try writeSet(of: call, outcome, activation)
                gate.hold(writeSet, reply: HeldReply(call: call, outcome: outcome))
            } catch {
                // State that cannot be stored must not stay in memory either.
                flush()
                let message = "what the call changed cannot be encoded, and nothing was changed"
                refuse(call, ActorError(.serialization, message, actor: actor, cause: "\(error)"))
                if generation == self.generation { dropActivation(reopening: false) }
                return
            }
        } else {
            // What this turn changed went with the activation that was dropped under it.
            let message = "the state was dropped because an earlier change could not be stored; nothing was changed"
            refuse(call, ActorError(.storageFailed, message, actor: actor))
        }
        if gate.count >= Limits.commitGroupCallsMax { flush() }
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
        return WriteSet(actor: actor, changes: changes, completion: completion)
    }

    /// Answers a call that was not run.
    func refuse(_ call: InboundCall, _ error: ActorError) {
        open[call.frame.id] = nil
        call.answer(reply(to: call, .failed(error)))
    }

    func reply(to call: InboundCall, _ outcome: CallOutcome) -> ReplyFrame {
        ReplyFrame(
            sequence: call.frame.id.sequence,
            actor: call.frame.actor,
            epoch: epoch,
            version: store?.fence.version ?? 0,
            outcome: outcome
        )
    }

    private func reused(_ id: CallID) -> ActorError {
        let message = "call \(id.sequence) of session \(id.session) was made before with another method or arguments"
        return ActorError(.callIdReused, message, actor: actor)
    }
}
