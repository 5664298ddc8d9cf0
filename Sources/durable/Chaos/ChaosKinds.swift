internal import DurableChaos

/// The kinds of faults that a run draws from.
struct ChaosKinds: Hashable, Sendable, CustomStringConvertible {
    /// What is drawn unless the user says otherwise: everything that ends processes or lets them stand still.
    static let usual = ChaosKinds([.kill, .terminate, .abort, .stop, .killSupervisor, .killAll])

    /// A kill of one worker is drawn this many times as often as each other kind.
    private static let killWeight = 8

    let kinds: [ChaosFault.Kind]

    init(_ kinds: [ChaosFault.Kind]) {
        precondition(!kinds.isEmpty, "there is nothing to draw from")
        self.kinds = kinds
    }

    /// Reads names separated by commas: those of the kinds, `supervisor`, and `all` for every kind.
    init(_ text: String) throws(Failure) {
        var kinds: [ChaosFault.Kind] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let name = part.filter { $0 != "-" && $0 != " " }.lowercased()
            let found: [ChaosFault.Kind] =
                switch name {
                case "all": ChaosFault.Kind.allCases
                case "supervisor": [.killSupervisor]
                default: ChaosFault.Kind.allCases.filter { $0.rawValue.lowercased() == name }
                }
            guard !found.isEmpty else {
                throw Failure(
                    "--faults: there is no fault \"\(part)\"; there are \(Self.names), supervisor for killSupervisor, "
                        + "and all"
                )
            }
            for kind in found where !kinds.contains(kind) { kinds.append(kind) }
        }
        self.kinds = kinds
    }

    /// The names of all kinds.
    static var names: String { ChaosFault.Kind.allCases.map(\.rawValue).joined(separator: ", ") }

    var description: String { kinds.map(\.rawValue).joined(separator: ",") }

    /// One of them.
    func draw(_ generator: inout SeededGenerator) -> ChaosFault.Kind {
        let weights = kinds.map { $0 == .kill ? Self.killWeight : 1 }
        var place = Int.random(in: 0..<weights.reduce(0, +), using: &generator)
        for (kind, weight) in zip(kinds, weights) {
            if place < weight { return kind }
            place -= weight
        }
        return kinds[0]
    }

    /// What comes when, one fault in each period. The same seed gives the same faults.
    func faults(every period: Duration, for duration: Duration, seed: UInt64) -> [ChaosFault] {
        var generator = SeededGenerator(seed: seed)
        let periods = Int((duration / period).rounded(.up))
        return (0..<periods).compactMap { number in
            let offset = period * number + period * Double.random(in: 0..<1, using: &generator)
            let kind = draw(&generator)
            let lasting = Int.random(in: 20...300, using: &generator)
            let choice = UInt64.random(in: 0..<1000, using: &generator)
            guard offset < duration else { return nil }
            return ChaosFault(
                kind,
                at: .milliseconds(Int64(offset / .milliseconds(1))),
                lasting: kind.endsProcesses ? .zero : .milliseconds(lasting),
                choice: choice
            )
        }
    }
}

extension ChaosFault.Kind {
    /// Whether what it hits does not go on. Kinds that are not known here pass by.
    var endsProcesses: Bool { [.kill, .abort, .terminate, .killSupervisor, .killAll].contains(self) }
}
