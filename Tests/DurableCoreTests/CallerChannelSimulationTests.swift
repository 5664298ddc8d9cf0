import DurableChaos
import DurableCore
import Testing

/// A caller, its network and a worker that dies, in one thread, driven by chance.
private struct Simulation {
    /// What the worker has on disk; survives its deaths.
    struct Disk {
        var records: [UInt64: CallOutcome] = [:]
        /// The calls whose effect is committed, in the order of commits.
        var committed: [UInt64] = []
        /// Callers have the outcomes below; their records are gone.
        var forgottenBelow: UInt64 = 0
    }

    enum Link { case none, connecting, open(Incarnation) }

    let seed: UInt64
    var random: SeededGenerator
    var channel = CallerChannel(actor: ActorID(high: 0, low: 1), session: SessionID(high: 1, low: 1))
    var link = Link.none
    var wire: [CallFrame] = []
    var replies: [ReplyFrame] = []
    var questions = 0
    var delays = 0
    var disk = Disk()
    var incarnation: Incarnation = 1
    var isUp = true
    var retries: [UInt64: RepeatLimit] = [:]
    var runs: [UInt64: Int] = [:]
    var outcomes: [UInt64: String] = [:]
    var isHealed = false

    init(seed: UInt64) {
        self.seed = seed
        random = SeededGenerator(seed: seed)
    }

    mutating func perform(_ actions: [CallerChannel.Action]) {
        for action in actions {
            switch action {
            case .connect: if case .none = link { link = .connecting }
            case .connectLater: delays += 1
            case .disconnect, .refuse: drop()
            case .send(let frame): if case .open = link { wire.append(frame) }
            case .askSupervisor: questions += 1
            case .warn, .warnHeldUp: break
            case .fail(let sequence, let error): settle(sequence, "\(error.code)")
            case .resolve(let sequence, let answer):
                #expect(
                    answer.outcome == .returned([UInt8(sequence & 0xFF)]),
                    "seed \(seed): the outcome of another call"
                )
                settle(sequence, "returned")
            }
        }
    }

    private mutating func settle(_ sequence: UInt64, _ how: String) {
        #expect(retries[sequence] != nil, "seed \(seed): call \(sequence) was never made")
        #expect(outcomes[sequence] == nil, "seed \(seed): call \(sequence) has two outcomes")
        outcomes[sequence] = how
    }

    mutating func drop() {
        link = .none
        wire = []
        replies = []
    }

    mutating func submit() {
        let limit: RepeatLimit = [0, 0, 1, 3, .unlimited][Int.random(in: 0..<5, using: &random)]
        let (sequence, actions) = channel.submit(
            method: "m",
            genericSubstitutions: [],
            arguments: [],
            retries: limit
        )
        retries[sequence] = limit
        perform(actions)
    }

    /// The worker takes the next call; with faults it dies before or after the commit.
    mutating func work() {
        guard isUp, case .open(incarnation) = link, !wire.isEmpty else { return }
        let frame = wire.removeFirst()
        let sequence = frame.id.sequence
        #expect(sequence >= disk.forgottenBelow, "seed \(seed): the record of call \(sequence) is gone already")
        if disk.records[sequence] == nil {
            runs[sequence, default: 0] += 1
            if !isHealed, random.oneIn(12) { return die() }
            disk.committed.append(sequence)
            disk.records[sequence] = .returned([UInt8(sequence & 0xFF)])
            disk.forgottenBelow = max(disk.forgottenBelow, frame.firstIncomplete)
            disk.records = disk.records.filter { $0.key >= disk.forgottenBelow }
            if !isHealed, random.oneIn(12) { return die() }
        }
        guard let outcome = disk.records[sequence] else { return }
        replies.append(reply(sequence, outcome, epoch: incarnation))
    }

    func reply(_ sequence: UInt64, _ outcome: CallOutcome, epoch: Epoch) -> ReplyFrame {
        ReplyFrame(sequence: sequence, actor: channel.actor, epoch: epoch, version: 1, outcome: outcome)
    }

    mutating func die() {
        isUp = false
        wire = []
    }

    /// A connection is accepted, by the living worker or by one that does not know yet that it is replaced.
    mutating func accept() {
        guard isUp, case .connecting = link else { return }
        let isStale = !isHealed && incarnation > 1 && random.oneIn(8)
        let host = isStale ? incarnation - 1 : incarnation
        link = .open(host)
        perform(channel.opened(incarnation: host, epoch: host))
    }

    mutating func close() {
        drop()
        perform(channel.closed())
    }

    mutating func answer() {
        guard questions > 0 else { return }
        questions -= 1
        let location = ActorLocation(.simple(1))
        perform(channel.verdict(isUp ? .alive(location, incarnation) : .restarting(location)))
    }

    mutating func step() {
        switch Int.random(in: 0..<20, using: &random) {
        case 0..<4: if !isHealed { submit() }
        case 4..<8: work()
        case 8..<11: if !replies.isEmpty { perform(channel.replied(replies.removeFirst())) }
        case 11..<13: accept()
        case 13, 14: answer()
        case 15:
            guard delays > 0 else { return }
            delays -= 1
            if case .none = link, !channel.isDead { link = .connecting }
        case 16: if !isUp { (isUp, incarnation) = (true, incarnation + 1) }
        case 17:
            // A connection to a worker that is gone or replaced ends at last; with faults any one may.
            if case .open(let host) = link, !isUp || host != incarnation || !isHealed && random.oneIn(3) { close() }
        case 18: if !isHealed, random.oneIn(4) { die() }
        default:
            // What a former owner still says of any call changes nothing once its successor has spoken.
            guard case .connected(let current) = channel.state, current > 1,
                let sequence = retries.keys.randomElement(using: &random)
            else { return }
            #expect(channel.replied(reply(sequence, .returned([]), epoch: current - 1)).isEmpty)
        }
    }
}

struct CallerChannelSimulationTests {
    /// Checked: no call has two outcomes, none is lost, effects are committed once and in the order of calls, a call
    /// runs no more often than its retries allow, no outcome belongs to another call.
    @Test(arguments: Seeds.first(60)) func callsKeepTheirPromisesOverDeathsAndLostReplies(seed: UInt64) {
        var simulation = Simulation(seed: seed)
        for _ in 0..<3000 { simulation.step() }
        simulation.isHealed = true
        var steps = 0
        while simulation.channel.pendingCount > 0, steps < 200_000 {
            simulation.step()
            steps += 1
        }
        #expect(simulation.channel.pendingCount == 0, "seed \(seed): stuck in \(simulation.channel.state)")
        #expect(Set(simulation.outcomes.keys) == Set(simulation.retries.keys), "seed \(seed): calls are lost")
        let committed = simulation.disk.committed
        #expect(committed == committed.sorted(), "seed \(seed): out of order")
        #expect(Set(committed).count == committed.count, "seed \(seed): committed twice")
        for (sequence, limit) in simulation.retries {
            let runs = simulation.runs[sequence] ?? 0
            #expect(limit.isUnlimited || runs <= 1 + limit.rawValue, "seed \(seed): call \(sequence) ran \(runs) times")
            let outcome = simulation.outcomes[sequence]
            #expect(!limit.isUnlimited || outcome == "returned", "seed \(seed): call \(sequence): \(outcome ?? "none")")
            #expect(outcome != "returned" || committed.contains(sequence), "seed \(seed): acknowledged and not stored")
        }
        #expect(simulation.incarnation > 5, "seed \(seed): too few deaths to show anything")
    }

    @Test(arguments: Seeds.first(20)) func aDeathForGoodLeavesNoCallWithoutAnOutcome(seed: UInt64) {
        var simulation = Simulation(seed: seed)
        for _ in 0..<500 { simulation.step() }
        simulation.perform(simulation.channel.verdict(.dead(.killed, typeDescription: "T", restarts: 0)))
        for _ in 0..<500 { simulation.step() }
        #expect(simulation.channel.pendingCount == 0)
        #expect(Set(simulation.outcomes.keys) == Set(simulation.retries.keys), "seed \(seed): calls are lost")
    }
}
