/// Which earlier states of an actor are kept beside the present one. Each commit makes a state.
///
/// Older ones are dropped when the next commit comes. A state that both limits allow is kept.
public struct HistoryPolicy: Sendable, Hashable, Codable {
    /// How many states before the present one are kept, 1 to 100,000.
    public var states: Int

    /// For how long a state is kept after another one took its place; `nil` for as long as `states` allows.
    public var age: Duration?

    /// Keeps a number of states.
    /// - Parameters:
    ///   - states: How many states before the present one are kept, 1 to 100,000.
    ///   - age: For how long a state is kept after another one took its place; `nil` for as long as `states` allows.
    public init(states: Int, age: Duration? = nil) {
        self.states = states
        self.age = age
    }

    /// The last states, this many before the present one.
    public static func last(_ states: Int) -> HistoryPolicy { HistoryPolicy(states: states) }

    /// Every state of this much time, as far as 100,000 states are enough.
    public static func within(_ age: Duration) -> HistoryPolicy {
        HistoryPolicy(states: Limits.historyStatesMax, age: age)
    }

    func validate() throws(ActorError) {
        guard (1...Limits.historyStatesMax).contains(states) else {
            throw ActorError(
                .invalidArgument,
                "history.states is \(states); allowed are 1 to \(Limits.historyStatesMax)"
            )
        }
        if let age, age <= .zero || age > .seconds(Limits.historyAgeSecondsMax) {
            throw ActorError(
                .invalidArgument,
                "history.age is \(age); allowed is more than zero and at most \(Limits.historyAgeSecondsMax) seconds"
            )
        }
    }
}
