internal import CBOR
internal import DurableCore
internal import DurableProcess
internal import DurableTransport
internal import Glibc

/// Requests of drivers and workers, and their answers.
extension Supervisor {
    /// A request arrived; `driver` is who sent it, `nil` for a worker.
    func received(_ frame: Frame, on connection: Connection, from driver: DriverID?) {
        var reader = ByteReader(frame.payload)
        guard frame.kind == FrameKind.request, let number = try? reader.read(UInt64.self),
            let request = try? CBORDecoder().decode(SupervisorRequest.self, from: Array(reader.readRest()))
        else {
            connection.fail(TransportError(.protocolViolation, "a request cannot be read"))
            return
        }
        let answer: @Sendable (SupervisorResponse) -> Void = { response in
            var writer = ByteWriter()
            writer.write(number)
            guard let payload = try? CBOREncoder().encode(response) else { return }
            writer.write(raw: payload)
            _ = connection.send(Frame(kind: FrameKind.response, payload: writer.bytes))
        }
        perform(request, from: driver, answer)
    }

    private func perform(
        _ request: SupervisorRequest,
        from driver: DriverID?,
        _ answer: @escaping @Sendable (SupervisorResponse) -> Void
    ) {
        switch request {
        case .create(let wanted):
            answer(create(wanted))
        case .locate(let id, let lost):
            locate(id, lost: lost, answer)
        case .lookup(let name, let namespace, let executable):
            answer(lookup(name: name, namespace: namespace, executable: executable))
        case .kill(let id, let noRestart):
            kill(id, noRestart: noRestart, answer)
        case .list:
            answer(.actors(summaries()))
        case .leave:
            guard let driver else { return answer(.done) }
            leaveWaiters.append(answer)
            driverLeft(driver)
        }
    }

    private func create(_ request: CreateRequest) -> SupervisorResponse {
        do {
            try request.options.validate()
        } catch {
            return .failed(error)
        }
        if case .driver(let id) = request.owner, drivers[id] == nil, !request.options.isDetached {
            return .failed(ActorError(.runtimeStopped, "the driver that was to own the actor has left the runtime"))
        }
        switch registry.create(request) {
        case .created(let record):
            changes.records.append(record)
            // An actor that somebody has been told of survives everything from here on.
            if let error = persist() {
                changes.records.removeAll { $0.id == record.id }
                registry.remove(record.id)
                return .failed(error)
            }
            perform(host(record).slot.activate(now: now), on: record.shard)
            return .location(ActorLocation(record))
        case .existing(let record):
            guard record.typeName == request.typeName else {
                return .failed(wrongType(record, asked: request.typeDescription))
            }
            return .location(ActorLocation(use(record, executable: request.executable)))
        case .nameTaken(let holder):
            let (name, namespace) = (request.options.name ?? "", request.options.namespace)
            let message = "the name \"\(name)\" in namespace \"\(namespace)\" belongs to a living actor; kill it "
            return .failed(ActorError(.nameTaken, message + "first, or use get-or-create", actor: holder))
        case .ownerGone:
            return .failed(ActorError(.died, "the actor that was to own the new one has ended"))
        }
    }

    private func lookup(name: String, namespace: String, executable: String) -> SupervisorResponse {
        guard let record = registry.lookup(name: name, namespace: namespace) else {
            let message = "no living actor has the name \"\(name)\" in namespace \"\(namespace)\""
            return .failed(ActorError(.notFound, message))
        }
        return .location(ActorLocation(use(record, executable: executable)))
    }

    /// A detached actor that does not run yet is started, by the executable of whoever uses it.
    private func use(_ record: ActorRecord, executable: String) -> ActorRecord {
        let hosted = self.hosted[record.shard] ?? host(record)
        guard hosted.slot.state == .dormant else { return record }
        let updated = registry.update(record.id) { $0.executable = executable } ?? record
        perform(hosted.slot.activate(now: now), on: record.shard)
        return updated
    }

    private func locate(
        _ id: ActorID,
        lost: Incarnation?,
        _ answer: @escaping @Sendable (SupervisorResponse) -> Void
    ) {
        guard let record = registry.records[id] else {
            answer(.status(.unknown))
            return
        }
        let hosted = self.hosted[record.shard] ?? host(record)
        if let worker = hosted.worker, !worker.handle.isAlive { pool.exited(worker) }
        if case .dormant = hosted.slot.state { perform(hosted.slot.activate(now: now), on: record.shard) }
        guard let lost, lost == hosted.slot.incarnation, hosted.worker != nil, hosted.slot.isRunning else {
            answer(.status(status(of: id)))
            return
        }
        // The caller saw the connection end before the kernel has finished with the process: wait for its pidfd.
        let once = OnceFlag()
        let reply: () -> Void = { [self] in
            if once.take() { answer(.status(status(of: id))) }
        }
        hosted.waiters.append((lost, reply))
        let box = LoopConfined(value: reply)
        loop.schedule(after: Limits.deathConfirmationTimeout) { box.value() }
    }

    private func status(of id: ActorID) -> ActorStatus {
        guard let record = registry.records[id] else { return .unknown }
        guard let hosted = hosted[record.shard] else {
            return record.ended.map { dead(record, $0) } ?? .restarting(ActorLocation(record))
        }
        switch hosted.slot.state {
        case .dormant, .backingOff: return .restarting(ActorLocation(record))
        case .starting: return .restarting(ActorLocation(record))
        case .serving: return .alive(ActorLocation(record), hosted.slot.incarnation)
        case .ending(let cause), .ended(let cause): return dead(record, cause)
        }
    }

    private func dead(_ record: ActorRecord, _ cause: DeathCause) -> ActorStatus {
        let restarts = hosted[record.shard]?.slot.policy.restarts ?? record.policy.restarts
        return .dead(cause, typeDescription: record.typeDescription, restarts: restarts)
    }

    private func kill(
        _ id: ActorID,
        noRestart: Bool,
        _ answer: @escaping @Sendable (SupervisorResponse) -> Void
    ) {
        guard let record = registry.records[id], record.ended == nil else {
            // Killing the dead is no error, as in Ray.
            answer(.done)
            return
        }
        let hosted = self.hosted[record.shard] ?? host(record)
        if case .ended = hosted.slot.state {
            // A detached actor out of restarts: its state was kept until now.
            forget(record)
            answer(.done)
            return
        }
        let action = noRestart ? hosted.slot.end(because: .killed) : hosted.slot.killLife(because: .killed)
        if case .killWorker = action, hosted.worker != nil {
            hosted.waiters.append((hosted.slot.incarnation, { answer(.done) }))
            perform(action, on: record.shard)
        } else {
            perform(action, on: record.shard)
            answer(.done)
        }
    }

    private func forget(_ record: ActorRecord) {
        changes.removed += registry.end(record.id, cause: .killed)
        changes.removed.append(record.id)
        RuntimeDirectory.remove(layout.shard(record.shard))
        persistSoon()
    }

    private func summaries() -> [ActorSummary] {
        registry.records.values.filter { $0.ended == nil }.sorted { $0.shard < $1.shard }.map { record in
            let slot = hosted[record.shard]?.slot
            let state: ActorSummary.State =
                switch slot?.state {
                case nil, .dormant: .dormant
                case .starting where slot?.incarnation == 1: .starting
                case .starting, .backingOff: .restarting
                case .serving: .alive
                case .ending, .ended: .ended
                }
            return ActorSummary(record, state: state, restarts: slot?.policy.restarts ?? record.policy.restarts)
        }
    }

    private func wrongType(_ record: ActorRecord, asked: String) -> ActorError {
        let message = "\"\(record.options.name ?? "")\" is a \(record.typeDescription), not a \(asked)"
        return ActorError(.invalidArgument, message, actor: record.id)
    }
}

/// Lets one of two events through.
private final class OnceFlag {
    private var isTaken = false

    func take() -> Bool {
        defer { isTaken = true }
        return !isTaken
    }
}
