internal import DurableCore
internal import Synchronization

/// The results of some of a pool's items, until they are retrieved: performs what `PoolResults` decides.
final class PoolQueue<Output: Sendable>: Sendable {
    typealias Outcome = Result<Output, any Error>

    private struct State {
        var results = PoolResults()
        var outcomes: [PoolResults.Item: Outcome] = [:]
        var waiting: [PoolResults.Waiter: OneShot<Void>] = [:]
    }

    private let state = Mutex(State())
    private let isDropped = Atomic(false)

    var hasNext: Bool { state.withLock { $0.results.hasNext } }

    /// Nobody will retrieve anything: what has not begun does not run.
    func drop() { isDropped.store(true, ordering: .relaxed) }

    /// Has an item carried out; its result can be retrieved here.
    func submit<Worker>(
        to workers: PoolWorkers<Worker>,
        retries: RepeatLimit,
        _ body: @escaping @Sendable (Worker) async throws -> Output
    ) {
        let (result, isAllowed) = state.withLock { state in
            let isAllowed = state.results.count < Limits.poolResultsMax
            return (state.results.add(), isAllowed)
        }
        guard isAllowed else {
            let message = "\(Limits.poolResultsMax) results of the pool have not been retrieved; retrieve some first"
            return finish(result, .failure(ActorError(.limitExceeded, message)))
        }
        let unlessDropped = { @Sendable [self] (worker: Worker) async throws -> Output in
            guard !isDropped.load(ordering: .relaxed) else { throw CancellationError() }
            return try await body(worker)
        }
        workers.submit(PoolWorkers<Worker>.Effort(retries: retries), unlessDropped) { [self] outcome in
            finish(result, outcome)
        }
    }

    /// Retrieves the next result in the order of submission, or the one that ended first.
    /// - Returns: How it ended; `nil` when the time ran out.
    func next(isOrdered: Bool, timeout: Duration?) async throws -> Outcome? {
        try timeout.checkTimeout()
        let shot = OneShot<Void>()
        let (retrieval, taken) = state.withLock { state -> (PoolResults.Retrieval, Outcome?) in
            let retrieval = isOrdered ? state.results.takeOldest() : state.results.takeFinished()
            switch retrieval {
            case .take(let item): return (retrieval, state.outcomes.removeValue(forKey: item))
            case .wait(let waiter): state.waiting[waiter] = shot
            case .nothingLeft: break
            }
            return (retrieval, nil)
        }
        let waiter: PoolResults.Waiter
        switch retrieval {
        case .take: return taken
        case .wait(let number): waiter = number
        case .nothingLeft: throw ActorError(.noMoreResults, "everything that was submitted has been retrieved")
        }
        let wait: Result<Void?, any Error>
        do { wait = .success(try await shot.wait(timeout: timeout)) } catch { wait = .failure(error) }
        // The wait ends first, and then it shows whether it was handed a result: none is lost, however it ended.
        let handed = state.withLock { state -> Outcome? in
            state.waiting[waiter] = nil
            return state.results.endWait(waiter).flatMap { state.outcomes.removeValue(forKey: $0) }
        }
        if let handed { return handed }
        _ = try wait.get()
        return nil
    }

    private func finish(_ item: PoolResults.Item, _ outcome: Outcome) {
        let shot = state.withLock { state -> OneShot<Void>? in
            state.outcomes[item] = outcome
            return state.results.finish(item).flatMap { state.waiting[$0] }
        }
        shot?.settle(())
    }
}
