/// A fault to inject at a named point of the framework's own code.
package struct FaultSpecification: Sendable, Hashable, Codable {
    /// What happens there.
    package enum Action: String, Sendable, Hashable, Codable {
        /// The process ends by `SIGKILL`.
        case kill
        /// The process stops by `SIGSTOP`, until somebody continues it.
        case stop
        /// The step that the point guards is left out.
        case skip
    }

    /// The point's name.
    package var point: FaultPoint
    /// At which passage through the point, counted from 1: those of its own process, or with a tally those of all
    /// processes of the runtime.
    package var occurrence: Int
    /// In which incarnation only; `nil` for every one.
    package var incarnation: Incarnation?
    /// What happens.
    package var action: Action

    package init(_ point: FaultPoint, occurrence: Int = 1, incarnation: Incarnation? = nil, action: Action) {
        self.point = point
        self.occurrence = occurrence
        self.incarnation = incarnation
        self.action = action
    }
}
