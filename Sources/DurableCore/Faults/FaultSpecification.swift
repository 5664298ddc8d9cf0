/// A fault to inject at a named point of the framework's own code.
package struct FaultSpecification: Sendable, Hashable, Codable {
    /// What happens there.
    package enum Action: String, Sendable, Hashable, Codable, CaseIterable {
        /// The process ends by `SIGKILL`.
        case kill
        /// The process stops by `SIGSTOP`, until somebody continues it.
        case stop
        /// The process ends by `SIGABRT`, as by a trap in its own code.
        case abort
        /// The process exits with code 0, at once, as if it had nothing more to do.
        case exit
        /// The thread that comes to the point sleeps there for a fifth of a second, and goes on.
        case delay
        /// The step that the point guards is left out.
        case skip

        /// Whether the process ends or stands still.
        package var strikesProcess: Bool { self != .delay && self != .skip }
    }

    /// How long a thread sleeps that is delayed.
    package static let delay: Duration = .milliseconds(200)

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

/// The form in which people arm faults: `<point>:<passage>:<action>`, as in `workerAfterCommit:2:kill`; with an
/// incarnation, `workerAfterCommit:2@3:kill`.
extension FaultSpecification: LosslessStringConvertible {
    package var description: String {
        "\(point.rawValue):\(occurrence)\(incarnation.map { "@\($0)" } ?? ""):\(action.rawValue)"
    }

    package init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 3, let point = FaultPoint(rawValue: parts[0]), let action = Action(rawValue: parts[2])
        else {
            return nil
        }
        let numbers = parts[1].split(separator: "@", omittingEmptySubsequences: false)
        guard (1...2).contains(numbers.count), let occurrence = Int(numbers[0]), occurrence > 0 else { return nil }
        var incarnation: Incarnation?
        if numbers.count == 2 {
            guard let number = Incarnation(numbers[1]) else { return nil }
            incarnation = number
        }
        self.init(point, occurrence: occurrence, incarnation: incarnation, action: action)
    }
}
