/// One recovery: from `kill -9` of an actor's process to the next answer of the actor, and how that time was spent.
public struct Recovery: Sendable, Hashable {
    /// A part of a recovery; each begins where the one before ends.
    public enum Phase: String, Sendable, Hashable, Codable, CaseIterable {
        /// Until the kernel tells that the process is gone. The next life is not assigned before.
        case noticed
        /// Until the next worker opens the actor's shard: the supervisor decides and hands the actor over, and a worker
        /// is started first when there is no spare.
        case assigned
        /// Until it writes to the shard for the first time: it is opened, and a new owner claims it.
        case claimed
        /// Until the next turn of the actor begins: the claim is durable, the constructor has run, and the state is
        /// restored. Only where the probe tells when its turn began; else this is part of `answered`.
        case restored
        /// Until the caller has the answer.
        case answered
    }

    /// From the kill until the answer was there.
    public let total: Duration

    /// How long each phase took; together they are the total. A phase that cannot be told apart is not in it, and its
    /// time is in the next one: an actor that stores nothing has no shard to look at.
    public let phases: [Phase: Duration]

    /// Puts the moments in order. What was noted late, because the machine was busy, is taken to have been at the latest
    /// when the next thing was.
    package init(killed: ContinuousClock.Instant, moments: [Phase: ContinuousClock.Instant]) {
        var moments = moments
        var next: ContinuousClock.Instant?
        for phase in Phase.allCases.reversed() {
            guard let moment = moments[phase] else { continue }
            let latest = Swift.max(killed, Swift.min(moment, next ?? moment))
            moments[phase] = latest
            next = latest
        }
        var durations: [Phase: Duration] = [:]
        var last = killed
        for phase in Phase.allCases {
            guard let moment = moments[phase] else { continue }
            durations[phase] = moment - last
            last = moment
        }
        phases = durations
        total = last - killed
    }
}

extension Recovery: Codable {
    private enum CodingKeys: String, CodingKey { case totalNanoseconds, phaseNanoseconds }

    /// Reads the durations, which are stored as whole nanoseconds.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        total = .nanoseconds(try container.decode(Int64.self, forKey: .totalNanoseconds))
        var durations: [Phase: Duration] = [:]
        for (name, nanoseconds) in try container.decode([String: Int64].self, forKey: .phaseNanoseconds) {
            guard let phase = Phase(rawValue: name) else {
                let message = "there is no phase \"\(name)\" of recoveries"
                throw DecodingError.dataCorruptedError(
                    forKey: .phaseNanoseconds,
                    in: container,
                    debugDescription: message
                )
            }
            durations[phase] = .nanoseconds(nanoseconds)
        }
        phases = durations
    }

    /// Writes the durations as whole nanoseconds.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(total.wholeNanoseconds, forKey: .totalNanoseconds)
        let durations = phases.map { ($0.key.rawValue, $0.value.wholeNanoseconds) }
        try container.encode(Dictionary(uniqueKeysWithValues: durations), forKey: .phaseNanoseconds)
    }
}
