/// Who retrieves which result of a pool. Each result is retrieved once, in the order of submission or by completion,
/// and the two can be mixed: a retrieval never takes what another one was promised.
package struct PoolResults: Sendable {
    /// A result, numbered in the order of submission.
    package typealias Item = UInt64
    /// A retrieval that waits.
    package typealias Waiter = UInt64

    /// What a retrieval has to do.
    package enum Retrieval: Sendable, Equatable {
        /// It gets this result.
        case take(Item)
        /// It waits until ``finish(_:)`` names it, or it ends its wait.
        case wait(Waiter)
        /// There is no result that it could get.
        case nothingLeft
    }

    private var nextItem: Item = 0
    private var nextWaiter: Waiter = 0
    /// Not retrieved and not promised to a retrieval in order; true for those that are finished.
    private var free: [Item: Bool] = [:]
    /// No free item is below.
    private var lowest: Item = 0
    /// Free items in the order of completion, from `head` on, with some that are free no longer.
    private var finished: [Item] = []
    private var head = 0
    /// Retrievals in order that wait for their item.
    private var promised: [Item: Waiter] = [:]
    /// Retrievals by completion that wait, the oldest first.
    private var waiters: [Waiter] = []
    private var handed: [Waiter: Item] = [:]

    package init() {}

    /// Whether there is a result, finished or not, that nobody has been promised.
    package var hasNext: Bool { free.count > waiters.count }

    /// How many results have not been retrieved.
    package var count: Int { free.count + promised.count + handed.count }

    /// A result will come.
    package mutating func add() -> Item {
        defer { nextItem += 1 }
        free[nextItem] = false
        return nextItem
    }

    /// Takes the oldest result there is, or waits for it.
    package mutating func takeOldest() -> Retrieval {
        guard hasNext else { return .nothingLeft }
        while free[lowest] == nil { lowest += 1 }
        if free.removeValue(forKey: lowest) == true { return .take(lowest) }
        nextWaiter += 1
        promised[lowest] = nextWaiter
        return .wait(nextWaiter)
    }

    /// Takes the result that was finished first, or waits for one.
    package mutating func takeFinished() -> Retrieval {
        guard hasNext else { return .nothingLeft }
        while head < finished.count {
            let item = finished[head]
            head += 1
            if free[item] == true {
                free[item] = nil
                return .take(item)
            }
        }
        nextWaiter += 1
        waiters.append(nextWaiter)
        return .wait(nextWaiter)
    }

    /// A result is there. Returns the retrieval that gets it, if one waits for it.
    package mutating func finish(_ item: Item) -> Waiter? {
        if let waiter = promised.removeValue(forKey: item) {
            handed[waiter] = item
            return waiter
        }
        guard free[item] == false else { return nil }
        if let waiter = waiters.first {
            waiters.removeFirst()
            free[item] = nil
            handed[waiter] = item
            return waiter
        }
        free[item] = true
        // Those taken in order meanwhile are dropped now and then, so that the list does not grow for ever.
        if finished.count > 2 * free.count + 16 {
            finished = finished[head...].filter { free[$0] == true }
            head = 0
        }
        finished.append(item)
        return nil
    }

    /// A retrieval stops waiting, for whatever reason. Returns what it was handed before, if anything; what it was
    /// promised is free again otherwise.
    package mutating func endWait(_ waiter: Waiter) -> Item? {
        if let item = handed.removeValue(forKey: waiter) { return item }
        if let item = promised.first(where: { $0.value == waiter })?.key {
            promised[item] = nil
            free[item] = false
            lowest = min(lowest, item)
        }
        waiters.removeAll { $0 == waiter }
        return nil
    }
}
