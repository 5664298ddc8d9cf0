/// Which process is killed after how many acknowledged calls. Pure: the same seed gives the same plan.
///
/// The kills are spread over the whole run. It is cut into as many equal parts as there are kills, and each kill falls
/// at a random place of its part, so that neither the pace nor the gaps can be foreseen by what is tested.
public struct KillPlan: Sendable, Hashable {
    /// What kind of process a kill is for.
    public enum Target: String, Sendable, Hashable, Codable, CaseIterable {
        /// A worker, chosen at random among those that live.
        case worker
        /// The supervisor.
        case supervisor
    }

    /// One kill of a plan.
    public struct Kill: Sendable, Hashable {
        /// What is killed.
        public var target: Target
        /// How many calls have been acknowledged, counted from the start of the run, when it happens.
        public var acknowledgedCalls: Int

        /// Makes a kill.
        public init(_ target: Target, acknowledgedCalls: Int) {
            self.target = target
            self.acknowledgedCalls = acknowledgedCalls
        }
    }

    /// The seed that the plan was made from.
    public let seed: UInt64
    /// The kills, in the order in which they happen.
    public let kills: [Kill]

    /// Plans kills.
    /// - Parameters:
    ///   - seed: What decides the places and the targets.
    ///   - kills: How many there are.
    ///   - calls: Over how many calls they are spread.
    ///   - supervisorEvery: One in this many is for the supervisor, at least one if there are any kills; 0 spares it.
    public init(seed: UInt64, kills count: Int, calls: Int, supervisorEvery: Int = 20) {
        precondition(count >= 0 && calls >= 0 && supervisorEvery >= 0, "a plan's numbers are not negative")
        self.seed = seed
        var generator = SeededGenerator(seed: seed)
        let supervisors = supervisorEvery == 0 || count == 0 ? 0 : max(1, count / supervisorEvery)
        var targets = Array(repeating: Target.supervisor, count: supervisors)
        targets += Array(repeating: .worker, count: count - supervisors)
        targets.shuffle(using: &generator)
        kills = targets.enumerated().map { index, target in
            let start = Self.boundary(index, of: count, calls)
            let end = Self.boundary(index + 1, of: count, calls)
            let place = start < end ? Int.random(in: start..<end, using: &generator) : start
            return Kill(target, acknowledgedCalls: place)
        }
    }

    /// How many of the kills are for this kind of process.
    public func count(of target: Target) -> Int { kills.count { $0.target == target } }

    private static func boundary(_ index: Int, of count: Int, _ calls: Int) -> Int {
        let (high, low) = index.multipliedFullWidth(by: calls)
        return count.dividingFullWidth((high, low)).quotient
    }
}
