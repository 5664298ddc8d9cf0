import DurableChaos
import DurableCore

/// Something that goes wrong, or a consequence of it that must be seen for the simulation to show anything.
package enum Fault: String, Sendable, CaseIterable {
    case crashInStart = "crash before serving"
    case crashBeforeMethod = "crash before the method"
    case crashInMethod = "crash in the method"
    case crashBeforeCommit = "crash before the commit"
    case crashAfterCommit = "crash after the commit"
    case crashBetweenReplies = "crash between replies"
    case killed = "worker killed"
    case frozen = "worker frozen"
    case lifeEnded = "life ended by kill"
    case abandoned = "living worker replaced"
    case zombieCommit = "zombie commit refused"
    case zombieRead = "zombie read refused"
    case zombieGreeting = "zombie refused by its caller"
    case refusedOwner = "idle owner whose shard was taken told by its caller"
    case connectionBroken = "connection broken"
    case messageLost = "message lost"
    case messageDelayed = "message delayed"
    case supervisorCrash = "supervisor crash"
    case changesLost = "registry changes lost"
    case adopted = "worker adopted"
    case recognised = "unregistered worker recognised"
    case strangerKilled = "unregistered worker killed"
    case driverDeath = "driver death"
    case diskFull = "disk full"
    case reboot = "machine restarted"
    case clockSet = "time of day set"
    case recordAnswered = "retry answered from its record"
    case joined = "call joined to its first copy"
    case keyAnswered = "call answered by its key"
    case expired = "call older than its record"
    case swept = "records expired"
    case forgotten = "records forgotten"
    case silent = "silent worker ended"
    case copiedLate = "copies of calls came late"
    case deadLettered = "call dead-lettered"
    case cancelled = "call cancelled before it ran"
    case budgetUsed = "restart budget used up"
    case ownerDied = "actor ended with its owner"
    case blocked = "restart delayed"
}

/// What a seed has chosen before anything happens.
struct Scenario {
    /// A chance that is taken again and again; each is off in some histories.
    enum Chance: Int, CaseIterable {
        case crash, kill, freeze, abandon, breakConnection, delay, supervisorCrash, driverDeath, diskFull, reboot
        case setClock, cancel, poison, endLife
    }

    /// An actor that drivers create, or find by its name.
    struct Plan {
        var options: ActorOptions
        var lanes: [Int]
    }

    let plans: [Plan]
    let driverCount: Int
    let callCount: Int
    let leaseMilliseconds: UInt64
    /// Whether a worker may stand still for longer than a lease.
    var hasShortLease: Bool { leaseMilliseconds < Limits.sessionLease.wholeMilliseconds }
    /// Every so many opportunities are taken; 0 for none.
    let odds: [Int]
    /// The usual time between two calls of a driver, in microseconds.
    let pause: UInt64

    init(_ random: inout SeededGenerator) {
        let isCalm = random.oneIn(8)
        var odds = [Int](repeating: 0, count: Chance.allCases.count)
        // Each history has its own mixture: rare faults show where others do not hide them.
        for chance in Chance.allCases where !isCalm && !random.oneIn(3) {
            let usual =
                switch chance {
                case .crash: 40
                case .kill, .breakConnection, .setClock: 14
                case .freeze, .driverDeath: 25
                case .supervisorCrash, .endLife: 20
                case .abandon: 2
                case .delay: 15
                case .diskFull: 12
                case .reboot: 150
                case .cancel: 12
                case .poison: 60
                }
            odds[chance.rawValue] = max(1, usual * random.number(1...4) / 2)
        }
        self.odds = odds
        plans = (0..<random.number(1...3)).map { Scenario.plan($0, &random) }
        driverCount = random.number(1...3)
        callCount = random.number(40...240)
        leaseMilliseconds = random.oneIn(3) ? 2_000 : Limits.sessionLease.wholeMilliseconds
        pause = [200, 1_000, 1_000, 20_000][random.number(0...3)]
    }

    private static func plan(_ index: Int, _ random: inout SeededGenerator) -> Plan {
        var options = ActorOptions()
        options.name = "actor \(index)"
        options.isDetached = !random.oneIn(3)
        options.maxRestarts = [.unlimited, .unlimited, .unlimited, 6, 2, 0][random.number(0...5)]
        if random.oneIn(6) { options.restartIntensity = RestartIntensity(restarts: 4, within: .seconds(2)) }
        options.maxTaskRetries = .unlimited
        if random.oneIn(3) { options.unresponsiveLimit = .process(.seconds(5)) }
        return Plan(options: options, lanes: [[1], [1], [3], [1, 2]][random.number(0...3)])
    }
}

extension SeededGenerator {
    /// True once in so many times.
    mutating func oneIn(_ count: Int) -> Bool { next() % UInt64(count) == 0 }

    /// A number of a range. Less even than `Int.random`, and much faster where nothing is optimised.
    mutating func number(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + Int(next() % UInt64(range.upperBound - range.lowerBound + 1))
    }

    mutating func number(_ range: ClosedRange<UInt64>) -> UInt64 {
        range.lowerBound + next() % (range.upperBound - range.lowerBound + 1)
    }
}
