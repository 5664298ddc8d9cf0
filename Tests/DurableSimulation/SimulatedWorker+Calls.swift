import DurableCore
import DurableStore

/// Calls, from their arrival to their replies, in the steps of `ActorHost`.
extension SimulatedWorker {
    /// Connections that wait are accepted, unless another worker is quicker.
    func acceptSome() {
        for link in world.backlog(of: socket) { accept(link) }
    }

    func accept(_ link: SimulatedLink) {
        after(world.random.number(20...200)) { worker in
            guard worker.phase == .serving, link.isWaiting, link.socket == worker.socket else { return }
            link.accepted(by: worker)
        }
    }

    /// Bytes arrived.
    func received(_ bytes: [UInt8], from link: SimulatedLink) {
        guard let frame = try? CallFrame(decoding: bytes),
            let operation = frame.arguments.first.flatMap({ Operation(bytes: $0) })
        else { return world.oracle.violated("a call cannot be read") }
        let lane = plan.lanes.count > 1 && operation.kind == .read ? 1 : 0
        let inbound = InboundCall(frame, operation, lane: lane, from: link)
        if sessionConnections.admits(frame.id.session, on: UInt64(link.number)) {
            admit(inbound)
        } else {
            refuse(inbound, .stale)
        }
        flushSoon()
    }

    private func admit(_ inbound: InboundCall) {
        let call = inbound.frame
        world.note(.admits, UInt64(number), call.id.sequence, inbound.operation.number)
        if let first = open[call.name] {
            guard first.fingerprint == inbound.fingerprint else { return refuse(inbound, .reused) }
            world.bites(.joined)
            first.callers += inbound.callers
            if call.cancellation != nil { cancel(first) }
            return
        }
        if answersFromRecord(inbound) { return }
        let lease = world.scenario.leaseMilliseconds
        let kept = call.deduplication?.retentionMilliseconds ?? lease
        if SessionProgress.unknowableAge(of: call, kept: kept, now: world.bootMilliseconds) != nil {
            world.bites(.expired)
            return refuse(inbound, .expired)
        }
        if call.deduplication == nil, SessionProgress.blocker(of: call, sessions[call.id.session]) != nil {
            return refuse(inbound, .beyondWindow)
        }
        open[call.name] = inbound
        guard call.cancellation == nil else { return neverRun(inbound) }
        if let letter = deadLetters[call.id] { return bury(inbound, letter) }
        if let next = mailbox.arrived(inbound, in: inbound.lane) { begin(next) }
    }

    private func answersFromRecord(_ inbound: InboundCall) -> Bool {
        let call = inbound.frame
        let session = call.id.session
        var progress = sessions[session] ?? shard.progress(of: session)
        let now = clock.advance(to: world.reading)
        let arrival = progress.arrived(call, at: now)
        sessions[session] = progress
        guard arrival != .stale else {
            refuse(inbound, .stale)
            return true
        }
        let record: Completion?
        if let key = call.deduplication?.key {
            record = shard.completion(of: key, now: now)
        } else {
            record = arrival == .mayBeRecorded ? shard.done[call.id] : nil
        }
        guard let record else { return false }
        guard record.fingerprint == inbound.fingerprint else {
            refuse(inbound, .reused)
            return true
        }
        world.bites(call.deduplication == nil ? .recordAnswered : .keyAnswered)
        world.note(.answersFromRecord, UInt64(number), call.id.sequence, inbound.operation.number)
        open[call.name] = inbound
        var held = HeldReply(call: inbound, outcome: record.outcome, isRecorded: true)
        held.isFromRecord = true
        gate.hold(nil, reply: held)
        return true
    }

    private func cancel(_ call: InboundCall) {
        call.isCancelled = true
        if mailbox.remove(in: call.lane, where: { $0 === call }) != nil { neverRun(call) }
    }

    private func neverRun(_ call: InboundCall) {
        world.bites(.cancelled)
        let outcome = Failure.cancelled.outcome
        let set = WriteSet(actor: shard.actor, changes: [], completion: completion(of: call, outcome))
        gate.hold(set, reply: HeldReply(call: call, outcome: outcome, isRecorded: true))
    }

    private func bury(_ call: InboundCall, _ letter: StoredDeadLetter) {
        world.note(.buries, UInt64(number), call.frame.id.sequence, call.operation.number)
        var letter = letter
        letter.complete(with: call.frame)
        let outcome = Failure.poison.outcome
        let change = WriteSet.Change.deadLetter(call.frame.id, letter)
        let set = WriteSet(actor: shard.actor, changes: [change], completion: completion(of: call, outcome))
        gate.hold(set, reply: HeldReply(call: call, outcome: outcome, isRecorded: false))
        flush()
    }

    private func completion(of call: InboundCall, _ outcome: CallOutcome) -> Completion {
        let id = call.frame.id
        let frontier = min(id.sequence, sessions[id.session]?.frontier ?? 0)
        return Completion(
            id: id,
            firstIncomplete: max(call.frame.firstIncomplete, frontier),
            fingerprint: call.fingerprint,
            outcome: outcome,
            deduplication: call.frame.deduplication
        )
    }

    // MARK: Turns

    private func begin(_ call: InboundCall) {
        let generation = generation
        after(world.random.oneIn(3) ? world.random.number(1...40) : 0) { worker in
            guard worker.generation == generation else { return worker.notBegun(call) }
            worker.run(call)
        }
    }

    /// The instance was dropped before the turn began: it runs on the next one.
    private func notBegun(_ call: InboundCall) {
        guard mailbox.isPaused else { return begin(call) }
        mailbox.putBack(call, in: call.lane)
    }

    private func run(_ call: InboundCall) {
        guard !call.isCancelled else { return finish(call, .failed([Failure.cancelled.rawValue]), hasRun: false) }
        jobs += 1
        let job = jobs
        call.isRunning = true
        scene.job = job
        let suspect = Suspect.call(shard.actor, call.frame.id)
        scene.notes.append(CrashScene.Note(suspect, job: job))
        world.note(.begins, UInt64(number), call.frame.id.sequence, call.operation.number)
        if world.crashes(self, .crashBeforeMethod) { return }
        world.oracle.ran(call, by: number, of: fence.epoch)
        if call.operation.kind == .poison { return world.crash(self) }
        let isLong = world.random.oneIn(40)
        let length: UInt64 = isLong ? world.random.number(1_000...400_000) : world.random.number(0...300)
        let generation = generation
        after(length) { worker in
            worker.scene.job = job
            if worker.world.crashes(worker, .crashInMethod) { return }
            guard worker.generation == generation else { return worker.forget(suspect, job) }
            switch call.operation.kind {
            case .read:
                worker.finish(call, .returned(worker.count.bytes), hasRun: true)
            case .add, .poison:
                worker.count += 1
                worker.finish(call, .returned(worker.count.bytes), hasRun: true)
            }
            worker.forget(suspect, job)
        }
    }

    private func forget(_ suspect: Suspect, _ job: UInt64) {
        scene.notes.removeAll { $0.suspect == suspect && $0.job == job }
        scene.job = 0
    }

    private func finish(_ call: InboundCall, _ outcome: CallOutcome, hasRun: Bool) {
        call.isRunning = false
        isProductive = true
        let isAdd = call.operation.kind == .add && hasRun
        let isKept = hasRun && call.frame.deduplication?.isExplicit == true || call.isCancelled
        let change = WriteSet.Change.entry(1, key: call.operation.number.bytes, payload: count.bytes)
        let set =
            isAdd || isKept
            ? WriteSet(
                actor: shard.actor,
                changes: isAdd ? [change] : [],
                completion: completion(of: call, outcome)
            ) : nil
        world.note(.ends, UInt64(number), call.frame.id.sequence, count)
        gate.hold(set, reply: HeldReply(call: call, outcome: outcome, isRecorded: set != nil))
        if let next = mailbox.finished(in: call.lane) { begin(next) }
        flushSoon()
    }

    // MARK: Commit and replies

    /// At the end of the batch what is held is committed.
    func flushSoon() {
        guard !isFlushPlanned else { return }
        isFlushPlanned = true
        after(world.random.oneIn(3) ? world.random.number(0...60) : 0) { worker in
            worker.isFlushPlanned = false
            worker.flush()
        }
    }

    func flush() {
        guard let group = gate.take() else { return }
        if group.writeSets.isEmpty {
            guard shard.isOwned(by: fence) else {
                world.bites(.zombieRead)
                return lostItsShard()
            }
        } else {
            if world.crashes(self, .crashBeforeCommit) { return }
            if world.roll(.diskFull) {
                world.bites(.diskFull)
                return commitFailed(group)
            }
            guard commit(group.writeSets) else { return }
            if world.crashes(self, .crashAfterCommit) { return }
        }
        for set in group.writeSets {
            guard let completion = set.completion, completion.deduplication == nil else { continue }
            sessions[completion.id.session, default: SessionProgress()].recorded(completion.id.sequence)
        }
        for held in group.replies {
            if world.crashes(self, .crashBetweenReplies) { return }
            open[held.call.frame.name] = nil
            answer(held.call, held.outcome, isRecorded: held.isRecorded)
        }
    }

    /// Nothing of the group is stored: its calls fail, and the memory that ran ahead of the disk is dropped.
    private func commitFailed(_ group: OutputGate<HeldReply>.Group) {
        world.note(.commitFails, UInt64(number), UInt64(group.replies.count), 0)
        for held in group.replies {
            guard held.isFromRecord else {
                refuse(held.call, .diskFull)
                continue
            }
            open[held.call.frame.name] = nil
            answer(held.call, held.outcome, isRecorded: true)
        }
        generation += 1
        mailbox.pause()
        for call in open.values.filter(\.isRunning).sorted(by: { $0.operation.number < $1.operation.number }) {
            refuse(call, .diskFull)
        }
        let generation = generation
        after(world.random.number(50...500)) { worker in
            // Another commit failed meanwhile: what follows that one reads what is stored.
            guard worker.generation == generation else { return }
            worker.count = worker.shard.count
            for next in worker.mailbox.resume() { worker.begin(next) }
        }
    }

    private func refuse(_ call: InboundCall, _ failure: Failure) {
        world.note(.refuses, UInt64(number), call.frame.id.sequence, UInt64(failure.rawValue))
        if open[call.frame.name] === call { open[call.frame.name] = nil }
        if failure == .diskFull { world.oracle.undone(call) }
        answer(call, failure.outcome, isRecorded: false)
    }

    private func answer(_ call: InboundCall, _ outcome: CallOutcome, isRecorded: Bool) {
        for caller in call.callers {
            let reply = ReplyFrame(
                sequence: caller.sequence,
                actor: call.frame.actor,
                epoch: fence.epoch,
                version: fence.version,
                outcome: outcome,
                isRecorded: isRecorded
            )
            world.note(.replies, UInt64(number), caller.sequence, fence.version)
            caller.link.reply(reply.encoded(), from: self)
        }
    }
}
