internal import DurableCore
internal import Synchronization

/// Tells people of failures that nobody has looked at, as Ray does; what the user has ended is none.
///
/// When an actor is gone, all calls that are under way fail together: the first are told one by one, then how many.
final class UnseenFailures: Sendable {
    private static let toldOneByOne = 8

    private let count = Atomic(0)
    private let log: @Sendable (String) -> Void

    init(log: @escaping @Sendable (String) -> Void) { self.log = log }

    /// A submission has failed, and its last reference was dropped without a look at the result.
    func note(_ error: any Error) {
        if let error = error as? ActorError, error.code == .runtimeStopped || error.code == .cancelled { return }
        let count = count.add(1, ordering: .relaxed).newValue
        if count <= Self.toldOneByOne {
            log("a submitted call failed, and its reference was dropped without a look at the result: \(error)")
        } else if count & (count - 1) == 0 {
            log("\(count) submitted calls have failed whose references were dropped without a look; the last: \(error)")
        }
    }
}
