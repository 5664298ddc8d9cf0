internal import CBOR
internal import DurableCore
internal import DurableProcess
internal import DurableTransport
internal import Glibc

#if SEEDED_BUGS
internal import SeededBugs
#endif

/// Requests of drivers and workers, and their answers.
extension Supervisor {
    /// A request arrived; `driver` is who sent it, `nil` for a worker.
    func received(_ frame: Frame, on connection: Connection, from driver: DriverID?) {
        guard let (number, request) = Self.request(in: frame) else {
            connection.fail(TransportError(.protocolViolation, "a request cannot be read"))
            return
        }
        perform(request, from: driver, Self.answer(to: number, on: connection))
    }

    /// Whoever only looks is told what there is. It starts nothing and keeps nothing: neither is it a driver, nor does
    /// the end of the supervisor wait for it.
    func observerHandler() -> ConnectionHandler {
        ConnectionHandler(received: { [unowned self] connection, frame, _ in
            guard let (number, request) = Self.request(in: frame), case .list = request else {
                connection.fail(TransportError(.protocolViolation, "an observer asks for the list of actors only"))
                return
            }
            perform(request, from: nil, Self.answer(to: number, on: connection))
        })
    }

    private static func request(in frame: Frame) -> (number: UInt64, request: SupervisorRequest)? {
        var reader = ByteReader(frame.payload)
        guard frame.kind == FrameKind.request, let number = try? reader.read(UInt64.self),
            let request = try? CBORDecoder().decode(SupervisorRequest.self, from: Array(reader.readRest()))
        else { return nil }
        return (number, request)
    }

    private static func answer(
        to number: UInt64,
        on connection: Connection
    ) -> @Sendable (SupervisorResponse) -> Void {
        { response in
            var writer = ByteWriter()
            writer.write(number)
            guard let payload = try? CBOREncoder().encode(response) else { return }
            writer.write(raw: payload)
            _ = connection.send(Frame(kind: FrameKind.response, payload: writer.bytes))
        }
    }

    private func perform(
        _ request: SupervisorRequest,
        from driver: DriverID?,
        _ answer: @escaping @Sendable (SupervisorResponse) -> Void
    ) {
        if case .create(let wanted) = request {
            if let known = create(wanted, answer) { answer(known) }
            return
        }
        finishCreations()
        switch request {
        case .create:
            break
        case .locate(let id, let lost):
            locate(id, lost: lost, answer)
        case .lookup(let name, let namespace, let executable):
            answer(lookup(name: name, namespace: namespace, executable: executable))
        case .kill(let id, let noRestart):
            kill(id, because: .killed, noRestart: noRestart) { [self] response in
                #if SEEDED_BUGS
                if SeededBug.killAnsweredEarly.isActive { answer(response) }
                #endif
                // Whoever was told of an end sees no supervisor that does not know of it.
                persistWaiters.append { answer(response) }
                persistSoon()
            }
        case .exit(let id):
            guard faults.passes(.supervisorBeforeExit, incarnation: registry.records[id]?.incarnation ?? 0) else {
                return answer(.failed(ActorError(.internalError, "fault injection: the exit is refused", actor: id)))
            }
            kill(id, because: .intendedExit, noRestart: true, answer)
        case .describe(let id):
            let record = registry.records[id].flatMap { $0.ended == nil ? $0 : nil }
            if let record { answer(.record(record)) } else { tell(status(of: id), answer) }
        case .list:
            answer(.actors(summaries()))
        case .node(let request):
            perform(request, answer)
        case .placementGroup(let request):
            perform(request, answer)
        case .drivers:
            answer(.processes(drivers.values.map(\.handle.pid).sorted()))
        case .inject(let order):
            inject(order, answer)
        case .leave:
            guard let driver else { return answer(.done) }
            leaveWaiters.append(answer)
            driverLeft(driver)
        }
    }

    /// Creates an actor, or finds it. `nil` when the answer comes with `finishCreations`.
    private func create(
        _ request: CreateRequest,
        _ answer: @escaping @Sendable (SupervisorResponse) -> Void
    ) -> SupervisorResponse? {
        do {
            try request.options.validate()
        } catch {
            return .failed(error)
        }
        if case .driver(let id) = request.owner, drivers[id] == nil, !request.options.isDetached {
            return .failed(ActorError(.runtimeStopped, "the driver that was to own the actor has left the runtime"))
        }
        if case .shared(let name) = request.options.isolation, let group = registry.group(name),
            let ending = hosted[group.shard], ending.slot.isEnding
        {
            // Its last member has just ended: worker and shard go, and the group begins anew.
            let again = { [self] in if let known = create(request, answer) { answer(known) } }
            ending.waiters.append((ending.slot.incarnation, again))
            return nil
        }
        let life = registry.records[request.id]?.ownerLife
        switch registry.create(captured(request)) {
        case .created(let record):
            if let obstacle = placementGroupObstacle(to: record) {
                registry.remove(record.id)
                return .failed(obstacle)
            }
            changes.records.append(record)
            // An attempt before, that could not be stored, is not to be taken back any more.
            changes.removed.removeAll { $0 == record.id }
            callerNodes[registry.hosting(record).id] = callerNode(of: request.owner)
            localBytes[registry.hosting(record).id] = request.argumentBytes.map(bytesByNode)
            if record.group != nil { changes.records.append(registry.hosting(record)) }
            creations.append((record, answer))
            return nil
        case .existing(let record):
            if creations.contains(where: { $0.record.id == record.id }), record.typeName == request.typeName {
                creations.append((record, answer))
                return nil
            }
            guard record.typeName == request.typeName else {
                return .failed(wrongType(record, asked: request.typeDescription))
            }
            if request.isDerived, record.ended != nil || hosting(record).slot.isEnding {
                return .status(status(of: record.id))
            }
            if record.ownerLife != life {
                changes.records.append(record)
                persistSoon()
            }
            var location = ActorLocation(use(record, executable: request.executable))
            location.isFound = true
            return .location(location)
        case .nameTaken(let holder):
            let (name, namespace) = (request.options.name ?? "", request.options.namespace)
            let message = "the name \"\(name)\" in namespace \"\(namespace)\" belongs to a living actor; kill it "
            return .failed(ActorError(.nameTaken, message + "first, or use get-or-create", actor: holder))
        case .groupDiffers(let durability):
            let message =
                "the actors of \(request.options.isolation) are stored at .\(durability); use that, or another "
            return .failed(ActorError(.invalidArgument, message + "group"))
        case .ownerGone:
            return .failed(ActorError(.died, "the actor that was to own the new one has ended"))
        }
    }

    /// Stores what was created since the loop's last batch, all in one transaction: an actor that somebody has been told
    /// of survives everything from there on.
    func finishCreations() {
        guard !creations.isEmpty else { return }
        faults.passes(.supervisorBeforeCreation, incarnation: 0)
        let created = creations
        creations = []
        #if SEEDED_BUGS
        if SeededBug.spawnAnsweredEarly.isActive {
            for (record, answer) in created {
                activate(hosting(record), record.shard)
                answer(.location(ActorLocation(record)))
            }
            return persistSoon()
        }
        #endif
        if let error = persist() {
            let ids = Set(created.map(\.record.id))
            changes.records.removeAll { ids.contains($0.id) }
            // A disk that says that it failed may have written them.
            changes.removed += ids
            for id in ids { registry.remove(id) }
            for (_, answer) in created { answer(.failed(error)) }
            return
        }
        faults.passes(.supervisorAfterCreation, incarnation: 0)
        for (record, answer) in created {
            activate(hosting(record), record.shard)
            answer(.location(ActorLocation(record)))
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
        let hosted = hosting(record)
        guard hosted.slot.state == .dormant else { return record }
        if let group = record.group { _ = registry.update(group) { $0.executable = executable } }
        let updated = registry.update(record.id) { $0.executable = executable } ?? record
        activate(hosted, record.shard)
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
        // With the last actor of a group its worker goes.
        let isGroupEnding = hosted[record.shard]?.slot.isEnding == true
        guard record.ended == nil || record.group == nil || isGroupEnding else {
            tell(status(of: id), answer)
            return
        }
        let hosted = hosting(record)
        if let worker = hosted.worker, !worker.handle.isAlive { pool.exited(worker) }
        if case .dormant = hosted.slot.state { activate(hosted, record.shard) }
        let isLost = lost == hosted.slot.incarnation && hosted.slot.isRunning
        guard hosted.worker != nil, isLost || hosted.slot.isEnding else {
            tell(status(of: id), answer)
            return
        }
        // The caller saw the connection end before the kernel has finished with the process: wait for its pidfd. Whoever
        // hears of an actor's end finds its name free.
        let once = OnceFlag()
        let reply: () -> Void = { [self] in
            if once.take() { tell(status(of: id), answer) }
        }
        hosted.waiters.append((hosted.slot.incarnation, reply))
        let box = LoopConfined(value: reply)
        loop.schedule(after: Limits.deathConfirmationTimeout) { box.value() }
    }

    /// Whoever was told of an end sees no supervisor that does not know of it.
    private func tell(_ status: ActorStatus, _ answer: @escaping @Sendable (SupervisorResponse) -> Void) {
        guard case .dead = status, !changes.isEmpty else { return answer(.status(status)) }
        persistWaiters.append { answer(.status(status)) }
        persistSoon()
    }

    private func status(of id: ActorID) -> ActorStatus {
        guard let record = registry.records[id] else { return .unknown }
        if record.group != nil, let cause = record.ended ?? refusedMembers[id] { return dead(record, cause) }
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
        let slot = record.group == nil ? hosted[record.shard]?.slot : nil
        let restarts = slot?.policy.restarts ?? record.policy.restarts
        return .dead(cause, typeDescription: record.typeDescription, restarts: restarts)
    }

    private func kill(
        _ id: ActorID,
        because cause: DeathCause,
        noRestart: Bool,
        _ answer: @escaping @Sendable (SupervisorResponse) -> Void
    ) {
        guard let record = registry.records[id], record.ended == nil else {
            // Killing the dead is no error, as in Ray.
            answer(.done)
            return
        }
        let hosted = hosting(record)
        if record.group != nil {
            if noRestart { return endMembers([record], because: cause) { answer(.done) } }
            if let worker = hosted.worker { send(.member(.restart(id)), to: worker) }
            return answer(.done)
        }
        if case .ended = hosted.slot.state {
            // A detached actor out of restarts: its state was kept until now.
            forget(record, because: cause)
            answer(.done)
            return
        }
        let action = noRestart ? hosted.slot.end(because: cause) : hosted.slot.killLife(because: cause)
        if case .killWorker = action, hosted.worker != nil || hosted.isHeldUp {
            hosted.waiters.append((hosted.slot.incarnation, { answer(.done) }))
            perform(action, on: record.shard)
        } else {
            perform(action, on: record.shard)
            answer(.done)
        }
    }

    /// Forgets an actor that had ended and whose state was kept.
    func forget(_ record: ActorRecord, because cause: DeathCause) {
        changes.removed += registry.end(record.id, cause: cause)
        forgetRecord(of: record.id)
        RuntimeDirectory.remove(layout.shard(record.shard))
        persistSoon()
    }

    private func summaries() -> [ActorSummary] {
        registry.records.values.filter { $0.ended == nil && !$0.isGroup }.sorted { $0.shard < $1.shard }.map { record in
            let slot = hosted[record.shard]?.slot
            let hosting = registry.hosting(record)
            let state: ActorSummary.State =
                switch slot?.state {
                case _ where refusedMembers[record.id] != nil: .ended
                case nil, .dormant: .dormant
                case .starting where slot?.incarnation == 1 && hosting.waitsFor != nil: .pending
                case .starting where slot?.incarnation == 1: .starting
                case .starting, .backingOff: .restarting
                case .serving: .alive
                case .ending, .ended: .ended
                }
            let policy = record.group == nil ? slot?.policy ?? record.policy : record.policy
            return ActorSummary(
                record,
                hosting: hosting,
                state: state,
                restarts: policy.restarts,
                driver: driver(of: record),
                silence: hosted[record.shard]?.worker?.page?.silence
            )
        }
    }

    /// The driver at the end of the chain of owners.
    private func driver(of record: ActorRecord) -> DriverID? {
        var owner = record.owner
        // An owner is older than what it owns, so the chain ends.
        while case .actor(let id) = owner { owner = registry.records[id]?.owner ?? .detached }
        return if case .driver(let id) = owner { id } else { nil }
    }

    private func wrongType(_ record: ActorRecord, asked: String) -> ActorError {
        let message = "\"\(record.options.name ?? "")\" is a \(record.typeDescription), not a \(asked)"
        return ActorError(.invalidArgument, message, actor: record.id)
    }
}

/// Lets one of two events through.
final class OnceFlag {
    private var isTaken = false

    func take() -> Bool {
        defer { isTaken = true }
        return !isTaken
    }
}
