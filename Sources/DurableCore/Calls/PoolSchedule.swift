/// Which worker of a pool runs which item: one item for each worker at a time, and the surplus first in, first out.
///
/// An item waits, is started on a worker, and ends there, or goes back in front of all later ones when its worker is
/// gone. Each event adds at most one worker or one item, so at most one item is started by it.
package struct PoolSchedule<Worker: Hashable & Sendable>: Sendable {
    /// An item of work, numbered in the order of submission.
    package typealias Item = UInt64

    /// What is to be done.
    package enum Action: Sendable, Equatable {
        /// Hand an item to a worker.
        case start(Item, on: Worker)
        /// Make another worker; ``replaced(by:)`` tells how that ended.
        case make
        /// Fail these items: nobody is left to run them.
        case fail([Item])
    }

    /// The one that became idle last is at the end.
    private var idle: [Worker] = []
    private var busy: [Worker: Item] = [:]
    private var waiting: Set<Item> = []
    /// Waiting items that were started before, the oldest at the end; all are older than those never started.
    private var returned: [Item] = []
    /// No item from here on was ever started.
    private var nextToStart: Item = 0
    private var nextItem: Item = 0
    /// How many workers are being made.
    private var replacements = 0
    private let growsTo: Int

    /// A pool without workers.
    /// - Parameter growsTo: Up to how many workers are made when work waits; 0 for none but those that are added.
    package init(growsTo: Int = 0) { self.growsTo = growsTo }

    /// How many workers the pool has, idle and busy.
    package var workerCount: Int { idle.count + busy.count }
    /// Whether a worker is idle; then no item waits.
    package var hasFree: Bool { !idle.isEmpty }
    /// How many items wait for a worker.
    package var waitingCount: Int { waiting.count }

    /// Takes an item in. It fails at once when there is no worker and none is being made.
    package mutating func submit() -> (item: Item, action: Action?) {
        let item = nextItem
        nextItem += 1
        waiting.insert(item)
        return (item, decide())
    }

    /// Adds a worker. Refused when it is in the pool already.
    package mutating func push(_ worker: Worker) -> (isNew: Bool, action: Action?) {
        guard busy[worker] == nil, !idle.contains(worker) else { return (false, nil) }
        idle.append(worker)
        return (true, decide())
    }

    /// Takes out the worker that became idle last, if one is idle.
    package mutating func popIdle() -> Worker? { idle.popLast() }

    /// Takes a worker out if it is idle.
    package mutating func retire(_ worker: Worker) -> Bool {
        guard let index = idle.firstIndex(of: worker) else { return false }
        idle.remove(at: index)
        return true
    }

    /// A worker has ended its item and can take another.
    package mutating func finished(_ worker: Worker) -> Action? {
        guard busy.removeValue(forKey: worker) != nil else { return nil }
        idle.append(worker)
        return decide()
    }

    /// A busy worker is gone for good.
    /// - Parameters:
    ///   - isReplaced: Whether another one is being made; ``replaced(by:)`` tells how that ended.
    ///   - isRetried: Whether its item is to be started again, on another one.
    package mutating func evicted(_ worker: Worker, isReplaced: Bool, isRetried: Bool) -> Action? {
        guard let item = busy.removeValue(forKey: worker) else { return nil }
        if isReplaced { replacements += 1 }
        if isRetried {
            waiting.insert(item)
            returned.insert(item, at: returned.firstIndex { $0 < item } ?? returned.endIndex)
        }
        return decide()
    }

    /// A worker that was taken out of the idle ones is gone for good, and another one is being made.
    package mutating func replacing() { replacements += 1 }

    /// The making of another worker has ended; without one when it failed.
    package mutating func replaced(by worker: Worker?) -> Action? {
        precondition(replacements > 0, "a replacement ends once")
        replacements -= 1
        if let worker, busy[worker] == nil, !idle.contains(worker) { idle.append(worker) }
        // What could not be made is not tried again before something else happens.
        return decide(mayGrow: worker != nil)
    }

    private mutating func decide(mayGrow: Bool = true) -> Action? {
        guard !waiting.isEmpty else { return nil }
        if let worker = idle.popLast() {
            let item = oldest()
            waiting.remove(item)
            busy[worker] = item
            return .start(item, on: worker)
        }
        if mayGrow, workerCount + replacements < growsTo, waiting.count > replacements {
            replacements += 1
            return .make
        }
        guard busy.isEmpty, replacements == 0 else { return nil }
        defer {
            waiting = []
            returned = []
        }
        return .fail(waiting.sorted())
    }

    /// The oldest item that waits; one does.
    private mutating func oldest() -> Item {
        if let item = returned.popLast() { return item }
        while !waiting.contains(nextToStart) { nextToStart += 1 }
        defer { nextToStart += 1 }
        return nextToStart
    }
}
