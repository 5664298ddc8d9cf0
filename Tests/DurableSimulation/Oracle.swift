import DurableCore
import DurableStore

/// What a call came to.
enum Outcome {
    case answered(CallOutcome)
    case failed(ActorError)
    /// Its place was given back.
    case neverMade

    /// For the trace.
    var number: UInt64 {
        switch self {
        case .answered(.returned(let bytes)): UInt64(bytes: bytes)
        case .answered: 1 << 32
        case .failed(let error): 1 << 33 | UInt64(error.code.description.utf8.count)
        case .neverMade: 1 << 34
        }
    }
}

/// Sees everything, and says what must not be.
final class Oracle {
    struct Call {
        var actor: ActorID
        var driver: Int
        var operation: Operation
        var retries: RepeatLimit
        var key: Deduplication?
        var id: CallID?
        /// The actor's count when it was made: nothing that it returns may be older.
        var floor: UInt64 = 0
        var runs = 0
        var isSettled = false
        /// The newest life that its caller knew when it cancelled it.
        var cancelledIn: Epoch?
    }

    private struct Effect {
        var value: UInt64
        /// When it was, and in which run of the machine.
        var time: UInt64
        var boot: BootID
    }

    private struct Life {
        var epoch: Epoch = 0
        var owner = 0
        var version: UInt64 = 0
    }

    var calls: [Call] = []
    private(set) var violations: [String] = []
    private(set) var acknowledged = 0
    private(set) var settledCount = 0
    private var effects: [UInt64: [Effect]] = [:]
    private var lives: [ShardNumber: Life] = [:]
    private var counts: [ActorID: UInt64] = [:]
    private var crashes: [Suspect: Int] = [:]
    /// How often a supervisor forgot what had crashed.
    var supervisorLives = 1
    /// Told why each actor has ended.
    var ends: [ActorID: DeathCause] = [:]
    /// Actors that a supervisor is ending for good: callers may be told before their processes are gone.
    var ending: Set<ActorID> = []
    private var order: [SessionID: [ActorID: UInt64]] = [:]
    /// Whether calls may fail for want of room on the disk, and be made again behind later ones.
    var keepsOrder = true
    var starts: [ActorID: [(time: UInt64, options: ActorOptions)]] = [:]
    let now: () -> UInt64
    /// The machine's present run.
    var run: () -> BootID = { BootID(high: 0, low: 0) }

    init(now: @escaping () -> UInt64) { self.now = now }

    func violated(_ what: String) { if violations.count < 20 { violations.append("at \(now()) µs: \(what)") } }

    func count(of actor: ActorID) -> UInt64 { counts[actor] ?? 0 }

    // MARK: The store

    func claimed(_ shard: SimulatedShard, _ fence: Fence, by process: Int, timeBefore: UInt64, time: UInt64) {
        let life = lives[shard.number] ?? Life()
        if fence.epoch <= life.epoch { violated("shard \(shard.number): epoch \(fence.epoch) is claimed twice") }
        if fence.version < life.version { violated("shard \(shard.number): the version went back at a claim") }
        if time < timeBefore { violated("shard \(shard.number): its time went back") }
        lives[shard.number] = Life(epoch: fence.epoch, owner: process, version: fence.version)
    }

    func committed(_ shard: SimulatedShard, before: Fence, _ fence: Fence, by process: Int) {
        guard var life = lives[shard.number] else { return violated("a commit without a claim") }
        if life.owner != process || fence.epoch != life.epoch {
            violated("shard \(shard.number): process \(process) committed, which process \(life.owner) has")
        }
        if fence.version <= life.version { violated("shard \(shard.number): version \(fence.version) came twice") }
        life.version = fence.version
        lives[shard.number] = life
    }

    func applied(_ operation: UInt64, _ value: UInt64, to shard: SimulatedShard) {
        let (time, boot) = (now(), run())
        if value != shard.count + 1 {
            violated("operation \(operation) made \(value) of \(shard.count): memory was not what is stored")
        }
        counts[shard.actor] = value
        for former in effects[operation] ?? [] {
            let retention = keyed[operation]
            // Over a restart of the machine the time that passed is taken from the time of day, which anybody may set.
            let isOlder = boot != former.boot || (time - former.time) / 1_000 + 1 >= (retention ?? .max)
            guard retention != nil, isOlder else {
                violated("operation \(operation) was applied twice: \(former.value) and \(value)")
                continue
            }
        }
        effects[operation, default: []].append(Effect(value: value, time: time, boot: boot))
    }

    /// Calls of a session take effect in their order where nothing interleaves.
    func ordered(_ id: CallID, of actor: ActorID) {
        guard keepsOrder else { return }
        let last = order[id.session]?[actor] ?? 0
        if id.sequence <= last { violated("call \(id.sequence) took effect behind call \(last)") }
        order[id.session, default: [:]][actor] = id.sequence
    }

    /// The retention of operations that have a key.
    var keyed: [UInt64: UInt64] = [:]

    // MARK: Workers

    func ran(_ inbound: InboundCall, by worker: Int, of epoch: Epoch) {
        if inbound.frame.deduplication == nil, let number = number(of: inbound),
            let known = calls[number].cancelledIn, epoch > known
        {
            violated("call \(number) was cancelled in epoch \(known), and ran in epoch \(epoch)")
        }
        guard inbound.operation.kind != .read, inbound.frame.deduplication == nil,
            let number = number(of: inbound)
        else { return }
        calls[number].runs += 1
        let call = calls[number]
        guard !call.retries.isUnlimited, call.runs > call.retries.rawValue + 1 else { return }
        violated("call \(number) with \(call.retries) retries ran \(call.runs) times")
    }

    /// What it did was not stored, and was dropped.
    func undone(_ inbound: InboundCall) {
        if let number = number(of: inbound), calls[number].runs > 0 { calls[number].runs -= 1 }
    }

    /// Its worker crashed over it.
    func crashed(_ suspects: [Suspect]) {
        for suspect in suspects { crashes[suspect, default: 0] += 1 }
    }

    private func number(of inbound: InboundCall) -> Int? {
        let index = Int(inbound.operation.number)
        return calls.indices.contains(index) ? index : nil
    }

    /// Checked: no call beyond its limit of crashes.
    func checkCrashes() {
        for (suspect, count) in crashes where count > Limits.crashesMax * supervisorLives {
            guard case .call(let actor, let id) = suspect else { continue }
            let call = "call \(id.sequence) of session \(id.session.low) to actor \(actor.low)"
            violated("\(call) crashed \(count) workers")
        }
    }

    // MARK: Callers

    func settled(_ number: Int, _ outcome: Outcome) {
        let call = calls[number]
        if call.isSettled { violated("call \(number) has two outcomes") }
        calls[number].isSettled = true
        settledCount += 1
        let effects = effects[call.operation.number] ?? []
        switch outcome {
        case .neverMade:
            settledCount -= 1
            if !effects.isEmpty, call.key == nil { violated("call \(number) was not made, and has an effect") }
        case .answered(.returned(let bytes)):
            acknowledged += 1
            returned(number, UInt64(bytes: bytes), effects)
        case .answered(let outcome):
            guard let failure = Failure(outcome) else { return violated("call \(number): another outcome") }
            failed(number, failure, effects)
        case .failed(let error):
            failed(number, error, effects)
        }
    }

    private func returned(_ number: Int, _ value: UInt64, _ effects: [Effect]) {
        let call = calls[number]
        switch call.operation.kind {
        case .poison:
            violated("call \(number) is poison, and returned")
        case .add:
            if !effects.contains(where: { $0.value == value }) {
                violated("call \(number) is acknowledged with \(value), and stored as \(effects.map(\.value))")
            }
            if call.key == nil, value <= call.floor { violated("call \(number) returned what was there before") }
        case .read:
            if value < call.floor { violated("call \(number) read \(value) of \(call.floor)") }
            if value > count(of: call.actor) { violated("call \(number) read what is not stored: \(value)") }
        }
    }

    private func failed(_ number: Int, _ failure: Failure, _ effects: [Effect]) {
        let call = calls[number]
        let hasEffect = !effects.isEmpty && call.key == nil
        switch failure {
        case .stale: violated("call \(number) was waited for, and its record is gone")
        case .beyondWindow: violated("call \(number) was sent beyond the window")
        case .reused: violated("call \(number) was taken for another")
        case .cancelled: if hasEffect { violated("call \(number) did not run, and has an effect") }
        case .diskFull: if hasEffect { violated("call \(number) could not be stored, and is") }
        case .poison:
            if hasEffect { violated("call \(number) is dead-lettered, and has an effect") }
            let count = call.id.flatMap { crashes[.call(call.actor, $0)] } ?? 0
            // What a key stands for may have crashed workers as another call.
            if count < Limits.crashesMax, call.key == nil {
                violated("call \(number) is dead-lettered after \(count) crashes")
            }
        case .expired: break
        }
    }

    private func failed(_ number: Int, _ error: ActorError, _ effects: [Effect]) {
        let call = calls[number]
        let hasEffect = !effects.isEmpty && call.key == nil
        switch error.code {
        case .cancelled:
            if hasEffect { violated("call \(number) was cancelled before it began, and has an effect") }
        case .unavailable:
            if call.retries.isUnlimited { violated("call \(number) may be retried, and failed: \(error.message)") }
            if hasEffect, !error.message.contains("may have run") {
                violated("call \(number) has an effect, and was said not to have run")
            }
        case .died, .quarantined:
            if ends[call.actor] == nil, !ending.contains(call.actor) {
                violated("call \(number): its actor has not ended: \(error.message)")
            }
        default:
            violated("call \(number) failed: \(error.message)")
        }
    }
}
