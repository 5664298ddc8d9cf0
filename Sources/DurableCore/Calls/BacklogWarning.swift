/// Says when so many calls of one process to one actor are unanswered that people should know: at a first number, and at
/// each doubling of it, once each.
package struct BacklogWarning: Sendable {
    private var next = Limits.pendingCallsWarned

    package init() {}

    /// A call was added.
    /// - Parameter count: How many are unanswered now.
    /// - Returns: The number to warn of, if it has been reached for the first time.
    package mutating func grew(to count: Int) -> Int? {
        guard count >= next else { return nil }
        defer { next *= 2 }
        return next
    }
}
