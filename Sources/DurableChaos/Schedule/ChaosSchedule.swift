/// Which faults come when. Pure: the same seed gives the same faults.
public struct ChaosSchedule: Sendable, Hashable {
    /// What the faults are made from; `nil` when they were given one by one.
    public let seed: UInt64?
    private let chaos: [Chaos]
    private let listed: [ChaosFault]

    /// Faults that come as long as they are wanted.
    /// - Parameters:
    ///   - chaos: What comes how often. Each falls at a random time of its period, so that the pace cannot be foreseen.
    ///   - seed: What decides the times and the victims.
    public init(_ chaos: [Chaos], seed: UInt64) {
        self.chaos = chaos
        self.seed = seed
        listed = []
    }

    /// These faults and no others, as to repeat what a log holds, or part of it.
    public init(_ faults: [ChaosFault]) {
        chaos = []
        seed = nil
        listed = faults.sorted { $0.offset < $1.offset }
    }

    /// The faults that come before this time, in order.
    public func faults(before end: Duration) -> [ChaosFault] {
        let sequence = makeIterator()
        var faults: [ChaosFault] = []
        while let fault = sequence.next(), fault.offset < end { faults.append(fault) }
        return faults
    }

    /// The faults one by one; without end when they are made from a seed.
    func makeIterator() -> AnyIterator<ChaosFault> {
        guard let seed else {
            var listed = listed.makeIterator()
            return AnyIterator { listed.next() }
        }
        var sources = chaos.enumerated().map { number, chaos in
            ChaosSource(chaos, SeededGenerator(seed: seed &+ UInt64(number) &* 0x9e37_79b9_7f4a_7c15))
        }
        return AnyIterator {
            guard let first = sources.indices.min(by: { sources[$0].coming.offset < sources[$1].coming.offset }) else {
                return nil
            }
            return sources[first].next()
        }
    }
}

/// The faults of one kind of chaos.
private struct ChaosSource {
    private let chaos: Chaos
    private var generator: SeededGenerator
    private var periods = 0
    private(set) var coming = ChaosFault(.kill, at: .zero)

    init(_ chaos: Chaos, _ generator: SeededGenerator) {
        self.chaos = chaos
        self.generator = generator
        coming = make()
    }

    mutating func next() -> ChaosFault {
        defer { coming = make() }
        return coming
    }

    private mutating func make() -> ChaosFault {
        let kind = chaos.kinds[Int.random(in: 0..<chaos.kinds.count, using: &generator)]
        let place = Double.random(in: 0..<1, using: &generator)
        let offset = chaos.period * periods + chaos.period * place
        periods += 1
        let extent: Duration = kind == .jumpClock && chaos.kinds.count > 1 ? .seconds(3600) : chaos.lasting
        return ChaosFault(
            kind,
            at: .milliseconds(offset.chaosMilliseconds),
            lasting: kind.hasExtent ? extent : .zero,
            choice: UInt64.random(in: 0..<1000, using: &generator)
        )
    }
}
