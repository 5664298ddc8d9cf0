/// What an actor would do if calls came one at a time and nothing ever failed: a pure value, against which histories of
/// the real one are checked.
public protocol SequentialModel: Hashable, Sendable {
    /// A call with its arguments.
    associatedtype Operation: Sendable
    /// What the caller gets.
    associatedtype Response: Equatable & Sendable

    /// Does what the call does, and says what its caller gets.
    mutating func apply(_ operation: Operation) -> Response
}
