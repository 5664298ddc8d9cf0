internal import DurableCore

extension ActorPool {
    /// Runs a call for each input, and gives the results in the order of the inputs. Ray: `ActorPool.map`.
    ///
    /// Nothing runs until the results are asked for, and no more than `window` inputs are ahead of what was taken.
    /// - Parameters:
    ///   - inputs: What the calls are made with.
    ///   - window: How many inputs are given to the pool at once, done and not; twice the workers unless given.
    ///   - body: Makes the calls for an input, on the worker that it is given.
    public func map<Inputs: Sequence, Result: Sendable>(
        _ inputs: Inputs,
        window: Int? = nil,
        _ body: @escaping @Sendable (Worker, Inputs.Element) async throws -> Result
    ) -> PoolMap<Worker, Inputs, Result> where Inputs.Element: Sendable {
        PoolMap(
            workers: workers,
            retries: maxTaskRetries,
            inputs: inputs,
            window: window,
            isOrdered: true,
            body: body
        )
    }

    /// Runs a call for each input, and gives the results as they come. Ray: `ActorPool.map_unordered`.
    ///
    /// Nothing runs until the results are asked for, and no more than `window` inputs are ahead of what was taken.
    /// - Parameters:
    ///   - inputs: What the calls are made with.
    ///   - window: How many inputs are given to the pool at once, done and not; twice the workers unless given.
    ///   - body: Makes the calls for an input, on the worker that it is given.
    public func mapUnordered<Inputs: Sequence, Result: Sendable>(
        _ inputs: Inputs,
        window: Int? = nil,
        _ body: @escaping @Sendable (Worker, Inputs.Element) async throws -> Result
    ) -> PoolMap<Worker, Inputs, Result> where Inputs.Element: Sendable {
        PoolMap(
            workers: workers,
            retries: maxTaskRetries,
            inputs: inputs,
            window: window,
            isOrdered: false,
            body: body
        )
    }
}

/// The results of a pool's calls for many inputs. Each iteration runs them anew.
public struct PoolMap<Worker: DurableActor, Inputs: Sequence, Output: Sendable>: AsyncSequence
where Inputs.Element: Sendable {
    /// A result.
    public typealias Element = Output

    let workers: PoolWorkers<Worker>
    let retries: RepeatLimit
    let inputs: Inputs
    let window: Int?
    let isOrdered: Bool
    let body: @Sendable (Worker, Inputs.Element) async throws -> Output

    /// Begins with the first input.
    public func makeAsyncIterator() -> Iterator { Iterator(self) }

    /// Gives inputs to the pool and takes their results.
    ///
    /// When it is dropped, inputs that no worker has begun with are not run; the others end, and nobody gets their
    /// results.
    public final class Iterator: AsyncIteratorProtocol {
        private let map: PoolMap
        private let queue = PoolQueue<Output>()
        private var inputs: Inputs.Iterator
        /// Inputs that were given to the pool and whose results were not taken.
        private var outstanding = 0

        init(_ map: PoolMap) {
            self.map = map
            inputs = map.inputs.makeIterator()
        }

        deinit { queue.drop() }

        /// The next result; `nil` when there was one for each input.
        /// - Throws: What the call for an input threw; asked again, it goes on with the next result. `CancellationError`
        ///   when the waiting task is cancelled; no result is lost by that. ``ActorError`` with `invalidArgument` for a
        ///   window below 1.
        public func next() async throws -> Output? {
            let window = map.window ?? Swift.max(1, 2 * map.workers.count)
            guard window >= 1 else { throw ActorError(.invalidArgument, "window is \(window); allowed is 1 or more") }
            while outstanding < window, let input = inputs.next() {
                queue.submit(to: map.workers, retries: map.retries) { [body = map.body] worker in
                    try await body(worker, input)
                }
                outstanding += 1
            }
            guard outstanding > 0, let outcome = try await queue.next(isOrdered: map.isOrdered, timeout: nil) else {
                return nil
            }
            outstanding -= 1
            return try outcome.get()
        }
    }
}
