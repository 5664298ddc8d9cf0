internal import DurableCore
internal import DurableTransport
internal import Synchronization

/// The workers of a pool: performs what `PoolSchedule` decides.
///
/// Each item has a task of its own, which waits for a worker and carries the item out.
final class PoolWorkers<Worker: DurableActor>: Sendable {
    typealias Item = PoolSchedule<ActorID>.Item

    /// How often an item may be tried again; counted over all of its attempts.
    final class Effort: Sendable {
        private let limit: RepeatLimit
        private let used = Mutex(0)

        init(retries limit: RepeatLimit) { self.limit = limit }

        /// Takes one retry; false when there is none left.
        func takeRetry() -> Bool {
            used.withLock { used in
                guard limit.allows(after: used) else { return false }
                used += 1
                return true
            }
        }
    }

    /// For how long a worker may be idle before it is taken out, and what ends it then.
    struct Idleness: Sendable {
        var max: Duration
        var end: @Sendable (Worker) async -> Void
    }

    private struct State {
        var schedule: PoolSchedule<ActorID>
        var workers: [ActorID: Worker] = [:]
        /// Items that wait for a worker; `nil` is what they get when nobody is left.
        var waiting: [Item: OneShot<Worker?>] = [:]
        /// Why the last worker that was to be made was not.
        var lastFailure: (any Error)?
        /// When workers last became idle that are looked at from time to time.
        var idleSince: [ActorID: ContinuousClock.Instant] = [:]
    }

    private let replacement: (@Sendable () async throws -> Worker)?
    /// Whether dead workers are replaced at once, and not only when work waits.
    private let replacesDead: Bool
    /// Whether an item whose worker got another life is tried again there, instead of failing.
    private let keepsRestarted: Bool
    private let idleness: Idleness?
    private let state: Mutex<State>

    /// A pool of the workers that are pushed.
    /// - Parameter replacement: Makes another one for each that died.
    init(replacement: (@Sendable () async throws -> Worker)?) {
        self.replacement = replacement
        replacesDead = replacement != nil
        keepsRestarted = false
        idleness = nil
        state = Mutex(State(schedule: PoolSchedule()))
    }

    /// A pool that makes its workers when work waits. An item ends only by its own error, or when its effort is over.
    /// - Parameters:
    ///   - count: Up to how many.
    ///   - idle: When they are ended again; `nil` for never.
    ///   - making: Makes one.
    init(growsTo count: Int, idle: Idleness? = nil, making: @escaping @Sendable () async throws -> Worker) {
        idleness = idle
        replacement = making
        replacesDead = false
        keepsRestarted = true
        state = Mutex(State(schedule: PoolSchedule(growsTo: count)))
    }

    var count: Int { state.withLock { $0.schedule.workerCount } }

    var hasFree: Bool { state.withLock { $0.schedule.hasFree } }

    /// Adds a worker; false when it is here already.
    func push(_ worker: Worker) -> Bool {
        update { state in
            let (isNew, action) = state.schedule.push(worker.id.bare)
            if isNew { state.workers[worker.id] = worker }
            return (isNew, action)
        }
    }

    /// Takes out an idle worker, if there is a living one. Dead ones that it meets are evicted.
    func popIdle() -> Worker? {
        while true {
            let worker = state.withLock { state in
                state.schedule.popIdle().flatMap { state.workers.removeValue(forKey: $0) }
            }
            guard let worker else { return nil }
            guard channel(of: worker).isDead else { return worker }
            if replacesDead {
                state.withLock { $0.schedule.replacing() }
                make()
            }
        }
    }

    /// Takes an item in, and carries it out when it is its turn.
    /// - Parameters:
    ///   - effort: How often it is tried again when its worker died with it.
    ///   - ended: Told the outcome, once. The worker is free by then, unless it is unavailable.
    func submit<Output: Sendable>(
        _ effort: Effort,
        _ body: @escaping @Sendable (Worker) async throws -> Output,
        ended: @escaping @Sendable (Result<Output, any Error>) -> Void
    ) {
        let shot = OneShot<Worker?>()
        let item = update { state in
            let (item, action) = state.schedule.submit()
            state.waiting[item] = shot
            return (item, action)
        }
        // Nobody owns the task; like a submitted call, it is not ended when the pool is dropped.
        Task { await carryOut(item, shot, effort, body, ended) }
    }

    private func carryOut<Output: Sendable>(
        _ item: Item,
        _ first: OneShot<Worker?>,
        _ effort: Effort,
        _ body: @Sendable (Worker) async throws -> Output,
        _ ended: @Sendable (Result<Output, any Error>) -> Void
    ) async {
        var shot = first
        while true {
            // Without a timeout the wait ends by being settled, because nobody cancels this task.
            guard case .some(.some(let worker)) = try? await shot.wait(timeout: nil) else {
                return ended(.failure(nobodyLeft()))
            }
            if channel(of: worker).isDead {
                // It died while it was idle: the item was not begun.
                shot = evict(worker, retrying: item) ?? shot
                continue
            }
            do {
                let output = try await body(worker)
                free(worker)
                return ended(.success(output))
            } catch {
                if keepsRestarted, isUnavailable(worker, error), effort.takeRetry() {
                    await becomesAvailable(worker)
                    shot = OneShot()
                    shot.settle(worker)
                    continue
                }
                guard isEnd(of: worker, error) else {
                    if !channel(of: worker).isInterrupted {
                        free(worker)
                        return ended(.failure(error))
                    }
                    ended(.failure(error))
                    await becomesAvailable(worker)
                    return free(worker)
                }
                guard effort.takeRetry() else {
                    evict(worker, retrying: nil)
                    return ended(.failure(error))
                }
                shot = evict(worker, retrying: item) ?? shot
            }
        }
    }

    /// Whether an item ended because its worker is gone for good, and not by an error of its own or of another actor.
    private func isEnd(of worker: Worker, _ error: any Error) -> Bool {
        guard let error = error as? ActorError, error.code == .died || error.code == .quarantined else { return false }
        return error.actor == nil || error.actor == worker.id
    }

    /// Whether an item ended because its worker is between two lives.
    private func isUnavailable(_ worker: Worker, _ error: any Error) -> Bool {
        guard let error = error as? ActorError else { return false }
        return error.code == .unavailable && error.actor == worker.id
    }

    /// The worker can take another item.
    private func free(_ worker: Worker) {
        update { ((), $0.schedule.finished(worker.id)) }
        becameIdle(worker)
    }

    /// Ends a worker if it stays idle for too long. It has one timer, however often it becomes idle.
    private func becameIdle(_ worker: Worker) {
        guard let idleness else { return }
        let before = state.withLock { $0.idleSince.updateValue(.now, forKey: worker.id) }
        if before == nil { look(at: worker, after: idleness.max) }
    }

    private func look(at worker: Worker, after delay: Duration) {
        worker.actorSystem.loop.schedule(after: delay) { [weak self] in self?.endIfIdle(worker) }
    }

    private func endIfIdle(_ worker: Worker) {
        guard let idleness else { return }
        let (left, isRetired) = state.withLock { state -> (Duration?, Bool) in
            guard let since = state.idleSince[worker.id], state.workers[worker.id] != nil else {
                state.idleSince[worker.id] = nil
                return (nil, false)
            }
            let left = idleness.max - since.duration(to: .now)
            if left > .zero { return (left, false) }
            state.idleSince[worker.id] = nil
            // One that is busy is looked at again after its item.
            guard state.schedule.retire(worker.id) else { return (nil, false) }
            state.workers[worker.id] = nil
            return (nil, true)
        }
        if let left { look(at: worker, after: left) }
        // Nobody owns the task; it ends when the worker has.
        if isRetired { Task { await idleness.end(worker) } }
    }

    /// Takes a dead worker out, and has it replaced if that was asked for.
    /// - Returns: Where its item waits for another worker, if it is to be tried again.
    @discardableResult
    private func evict(_ worker: Worker, retrying item: Item?) -> OneShot<Worker?>? {
        let shot = item.map { _ in OneShot<Worker?>() }
        update { state in
            state.workers[worker.id] = nil
            if let item { state.waiting[item] = shot }
            return ((), state.schedule.evicted(worker.id, isReplaced: replacesDead, isRetried: item != nil))
        }
        if replacesDead { make() }
        return shot
    }

    /// Makes another worker.
    private func make() {
        guard let replacement else { return }
        // Nobody owns the task; items wait for its end, and it ends when the replacement does.
        Task {
            let made: Result<Worker, any Error>
            do { made = .success(try await replacement()) } catch { made = .failure(error) }
            // It may find that no work is left.
            defer { if case .success(let worker) = made { becameIdle(worker) } }
            update { state in
                switch made {
                case .success(let worker) where channel(of: worker).isDead:
                    // It would be evicted at once, and this would never end.
                    state.lastFailure = ActorError(.died, "the replacement is dead already", actor: worker.id)
                    return ((), state.schedule.replaced(by: nil))
                case .success(let worker):
                    state.workers[worker.id.bare] = worker
                    return ((), state.schedule.replaced(by: worker.id.bare))
                case .failure(let error):
                    state.lastFailure = error
                    return ((), state.schedule.replaced(by: nil))
                }
            }
        }
    }

    /// Waits until a worker is no longer between two lives: it would fail every item that it was given.
    private func becomesAvailable(_ worker: Worker) async {
        var pause: Duration = .milliseconds(1)
        while channel(of: worker).isInterrupted {
            // Nobody cancels this task; were it cancelled, the worker would be used too early, and is kept.
            guard (try? await ContinuousClock().sleep(for: pause)) != nil else { return }
            pause = min(pause * 2, Limits.poolWorkerCheckMax)
        }
    }

    private func nobodyLeft() -> any Error {
        let cause = state.withLock { $0.lastFailure }
        // Who makes all of its workers by itself has no other reason.
        if !replacesDead, let cause { return cause }
        let message = "the pool has no worker left to run this; push one, or have dead ones replaced"
        return ActorError(.died, message, cause: cause.map { "\($0)" })
    }

    private func channel(of worker: Worker) -> ActorChannel { worker.actorSystem.calls.channel(to: worker.id) }

    /// Lets the schedule decide under the lock, and tells the items after.
    private func update<Answer>(
        _ decide: (inout State) -> (Answer, PoolSchedule<ActorID>.Action?)
    ) -> Answer {
        let (answer, shots, worker, makes) = state.withLock { state in
            let (answer, action) = decide(&state)
            var shots: [OneShot<Worker?>?] = []
            var worker: Worker?
            var makes = false
            switch action {
            case .make: makes = true
            case .start(let item, on: let id):
                worker = state.workers[id]
                shots = [state.waiting.removeValue(forKey: item)]
            case .fail(let items):
                shots = items.map { state.waiting.removeValue(forKey: $0) }
            case nil: break
            }
            return (answer, shots, worker, makes)
        }
        for case let shot? in shots { shot.settle(worker) }
        if makes { make() }
        return answer
    }
}
