/// What is known of calls that are under way, by their sequence numbers: these only grow, so that an array from the oldest
/// to the newest does what a dictionary would, without hashing.
///
/// Memory is that of the distance between the two.
package struct SequenceWindow<Value: Sendable>: Sendable {
    private var slots: [Value?] = []
    /// Slots before this one are used up.
    private var head = 0
    /// The number of the slot at `head`.
    private var headSequence: UInt64 = 0
    /// How many there are.
    package private(set) var count = 0

    package init() {}

    /// Whether there is none.
    package var isEmpty: Bool { count == 0 }

    /// The lowest number that there is.
    package var first: UInt64? { isEmpty ? nil : headSequence }

    /// The numbers that there are, in order.
    package var sequences: [UInt64] {
        slots.indices[head...].filter { slots[$0] != nil }.map { headSequence + UInt64($0 - head) }
    }

    /// What is known of a number; `nil` for one that is not there.
    package subscript(_ sequence: UInt64) -> Value? {
        index(of: sequence).flatMap { slots[$0] }
    }

    /// Adds the next number, which is larger than all before.
    package mutating func append(_ value: Value, at sequence: UInt64) {
        if isEmpty {
            slots.removeAll(keepingCapacity: true)
            head = 0
            headSequence = sequence
        }
        let next = headSequence + UInt64(slots.count - head)
        precondition(sequence >= next, "sequence numbers grow")
        for _ in next..<sequence { slots.append(nil) }
        slots.append(value)
        count += 1
    }

    /// Changes what is known of a number, if it is there.
    package mutating func update(_ sequence: UInt64, _ change: (inout Value) -> Void) {
        guard let index = index(of: sequence), slots[index] != nil else { return }
        change(&slots[index]!)
    }

    /// Takes a number away.
    @discardableResult
    package mutating func remove(_ sequence: UInt64) -> Value? {
        guard let index = index(of: sequence), let value = slots[index].take() else { return nil }
        count -= 1
        skipEmpty()
        return value
    }

    /// Takes all away.
    package mutating func removeAll() { self = SequenceWindow() }

    private func index(of sequence: UInt64) -> Int? {
        guard sequence >= headSequence, sequence - headSequence < UInt64(slots.count - head) else { return nil }
        return head + Int(sequence - headSequence)
    }

    private mutating func skipEmpty() {
        guard !isEmpty else { return }
        while slots[head] == nil {
            head += 1
            headSequence += 1
        }
        guard head > 64, head * 2 > slots.count else { return }
        slots.removeFirst(head)
        head = 0
    }
}
