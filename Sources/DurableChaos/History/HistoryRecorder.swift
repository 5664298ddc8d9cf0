internal import DurableActors
internal import Synchronization

/// Records calls while they happen, from any number of tasks.
public final class HistoryRecorder<Model: SequentialModel>: Sendable {
    private struct State: Sendable {
        var history = CallHistory<Model>()
        var time = 0

        mutating func tick() -> Int {
            time += 1
            return time
        }
    }

    private let state = Mutex(State())
    private let hasCertainlyFailed: @Sendable (any Error) -> Bool

    /// Makes a recorder without calls.
    /// - Parameter hasCertainlyFailed: Whether an error means that the call changed nothing and never will. Where it is
    ///   not sure that must be false, and is unless given: a call that threw may have happened.
    public init(hasCertainlyFailed: @escaping @Sendable (any Error) -> Bool = { _ in false }) {
        self.hasCertainlyFailed = hasCertainlyFailed
    }

    /// What was recorded so far. Calls that are open are `unknown` in it.
    public var history: CallHistory<Model> { state.withLock { $0.history } }

    /// Makes a call and records it, with the stamp of its answer.
    /// - Parameters:
    ///   - operation: What the model is to do for it.
    ///   - actor: What names the actor, when there are several.
    ///   - call: The call itself, one to the actor that is checked; of several the last one gives the stamp.
    /// - Returns: What it returned.
    /// - Throws: What it threw; then it is recorded as failed or unknown.
    @discardableResult
    public func record(
        _ operation: Model.Operation,
        of actor: String = "",
        _ call: () async throws -> Model.Response
    ) async throws -> Model.Response {
        let place = state.withLock { state in
            let invoked = state.tick()
            return state.history.append(.init(actor: actor, operation, invoked: invoked, ended: nil, .unknown))
        }
        let (result, stamp) = await StampCollector.collect(call)
        let outcome: CallHistory<Model>.Outcome =
            switch result {
            case .success(let response): .acknowledged(response)
            case .failure(let error): hasCertainlyFailed(error) ? .failed : .unknown
            }
        state.withLock { $0.history.end(place, at: $0.tick(), outcome, stamp) }
        return try result.get()
    }
}
