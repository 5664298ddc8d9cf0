#if SEEDED_BUGS
internal import SeededBugs
#endif

/// The calls that wait for one actor: each of its concurrency groups is a lane, in which calls start in the order of
/// their arrival, as many at once as its limit allows. A full lane holds up no other.
///
/// With one lane and a limit of 1, call n+1 starts after call n has returned, as in Ray.
package struct Mailbox<Call: Sendable>: Sendable {
    private struct Lane: Sendable {
        let limit: Int
        /// Calls that have started and not finished.
        var running = 0
        var waiting: [Call] = []
        var head = 0
        /// Calls at the head that were put back since the mailbox was paused.
        var returned = 0

        var count: Int { waiting.count - head }

        mutating func next() -> Call? {
            guard head < waiting.count, running < limit else { return nil }
            running += 1
            let next = waiting[head]
            head += 1
            if head > 64, head * 2 > waiting.count {
                waiting.removeFirst(head)
                head = 0
            }
            return next
        }
    }

    private var lanes: [Lane]
    /// Whether nothing starts until `resume` is called.
    package private(set) var isPaused = false

    /// - Parameter limits: How many calls of each lane may run at once.
    package init(limits: [Int] = [1]) {
        lanes = limits.map { Lane(limit: $0) }
        #if SEEDED_BUGS
        if SeededBug.serialCallsOverlap.isActive { lanes = limits.map { Lane(limit: $0 + 1) } }
        #endif
    }

    /// How many calls wait.
    package var count: Int { lanes.reduce(0) { $0 + $1.count } }

    /// How many calls run.
    package var runningCount: Int { lanes.reduce(0) { $0 + $1.running } }

    /// Whether these many calls are all that a lane lets run at once.
    package func isFilled(_ lane: Int, by calls: Int) -> Bool { calls >= lanes[lane].limit }

    /// A call arrived. Returns it when it may start at once.
    package mutating func arrived(_ call: Call, in lane: Int = 0) -> Call? {
        guard !isPaused, lanes[lane].running < lanes[lane].limit else {
            lanes[lane].waiting.append(call)
            return nil
        }
        // As long as there is room, nobody waits.
        lanes[lane].running += 1
        return call
    }

    /// Lets nothing start until `resume` is called. What runs counts no more, and must not be reported as finished.
    package mutating func pause() {
        for index in lanes.indices {
            lanes[index].running = 0
            if !isPaused { lanes[index].returned = 0 }
        }
        isPaused = true
    }

    /// A call that was to start before the mailbox was paused has not: it starts before all that wait. Those that are
    /// put back come in the order in which they were to start.
    package mutating func putBack(_ call: Call, in lane: Int = 0) {
        precondition(isPaused, "only a pause keeps a call from starting")
        lanes[lane].waiting.insert(call, at: lanes[lane].head + lanes[lane].returned)
        lanes[lane].returned += 1
    }

    /// Takes a call away that waits.
    package mutating func remove(in lane: Int = 0, where isWanted: (Call) -> Bool) -> Call? {
        let head = lanes[lane].head
        guard let index = lanes[lane].waiting[head...].firstIndex(where: isWanted) else { return nil }
        if index < head + lanes[lane].returned { lanes[lane].returned -= 1 }
        return lanes[lane].waiting.remove(at: index)
    }

    /// Lets calls start again. Returns those that start now.
    package mutating func resume() -> [Call] {
        isPaused = false
        var starting: [Call] = []
        for index in lanes.indices {
            while let next = lanes[index].next() { starting.append(next) }
        }
        return starting
    }

    /// A turn of a call is over. Returns the call that starts next.
    package mutating func finished(in lane: Int = 0) -> Call? {
        precondition(lanes[lane].running > 0, "no call of the lane runs")
        lanes[lane].running -= 1
        return lanes[lane].next()
    }
}
