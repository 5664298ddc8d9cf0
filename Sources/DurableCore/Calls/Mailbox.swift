/// The calls that wait for one serial actor: call n+1 starts after call n has returned, as in Ray.
package struct Mailbox<Call: Sendable>: Sendable {
    private var waiting: [Call] = []
    private var head = 0
    /// Whether a turn is running.
    package private(set) var isBusy = false

    package init() {}

    /// How many calls wait.
    package var count: Int { waiting.count - head }

    /// A call arrived. Returns it when it may start at once.
    package mutating func arrived(_ call: Call) -> Call? {
        guard isBusy else {
            isBusy = true
            return call
        }
        waiting.append(call)
        return nil
    }

    /// Lets nothing start until `finished` is called, as if a turn were running.
    package mutating func pause() { isBusy = true }

    /// A call that was to start has not: it starts before all that wait.
    package mutating func putBack(_ call: Call) {
        guard head > 0 else {
            waiting.insert(call, at: 0)
            return
        }
        head -= 1
        waiting[head] = call
    }

    /// Takes a call away that waits.
    package mutating func remove(where isWanted: (Call) -> Bool) -> Call? {
        guard let index = waiting[head...].firstIndex(where: isWanted) else { return nil }
        return waiting.remove(at: index)
    }

    /// The running turn is over. Returns the call that starts next.
    package mutating func finished() -> Call? {
        guard head < waiting.count else {
            isBusy = false
            return nil
        }
        let next = waiting[head]
        head += 1
        if head > 64, head * 2 > waiting.count {
            waiting.removeFirst(head)
            head = 0
        }
        return next
    }
}
