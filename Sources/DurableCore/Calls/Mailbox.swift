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
