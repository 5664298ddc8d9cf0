internal import DurableActors

/// Goes through the commits of an actor in their order, and through the calls of each in any order that respects times
/// and answers. It goes back only when it is stuck.
struct WitnessSearch<Model: SequentialModel> {
    typealias Call = CallHistory<Model>.Call

    enum Outcome {
        case found
        /// The calls of the commit that it never got beyond, behind some before it; and the model before them.
        case stuck([Call], Model)
        case outOfSteps
    }

    /// What is done, and what is tried next.
    private struct Node: Hashable {
        var slot: Int
        /// Calls of the slot that are not done.
        var remaining: [Int]
        /// Calls without a slot of their own that are done.
        var floating: Set<Int> = []
        var model: Model
    }

    private static var shownBefore: Int { 4 }
    private let calls: [Call]
    /// The calls with a new answer of each stamp, in the order of stamps.
    private var slots: [[Int]] = []
    /// The earliest end of the calls in this slot and all behind it.
    private var firstEnd: [Int] = []
    /// Calls that were answered from a record, by the slots in which they may have been done; the last one must.
    private var repeated: [[Int]] = []
    private var lastSlot: [Int: Int] = [:]
    /// Calls of unknown outcome, which may have been done at any time since they were made.
    private let unknown: [Int]
    private var stepsLeft: Int

    init(_ calls: [Call], stepsMax: Int) {
        self.calls = calls
        stepsLeft = stepsMax
        unknown = calls.indices.filter { !calls[$0].isAcknowledged }
        let answered = calls.indices.filter { calls[$0].isAcknowledged }
        let groups = Dictionary(grouping: answered) { calls[$0].stamp.map { [$0.epoch, $0.version] } ?? [] }
        let ordered = groups.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map(\.value)
        slots = ordered.map { $0.filter { calls[$0].stamp?.isRepeated == false } }
        repeated = Array(repeating: [], count: slots.count)
        place(ordered)
        firstEnd = Array(repeating: .max, count: slots.count + 1)
        for slot in slots.indices.reversed() {
            let ends = slots[slot].compactMap { calls[$0].ended }
            firstEnd[slot] = min(firstEnd[slot + 1], ends.min() ?? .max)
        }
    }

    /// Says in which slots each call may have been done that was answered from a record.
    private mutating func place(_ groups: [[Int]]) {
        var slotOf: [Int: Int] = [:]
        for (slot, group) in groups.enumerated() { for call in group { slotOf[call] = slot } }
        let byEnd = slots.joined().sorted { (calls[$0].ended ?? .max) < (calls[$1].ended ?? .max) }
        var (ended, earliest) = (0, 0)
        let late = slotOf.keys.filter { calls[$0].stamp?.isRepeated == true }
        for call in late.sorted(by: { calls[$0].invoked < calls[$1].invoked }) {
            while ended < byEnd.count, let end = calls[byEnd[ended]].ended, end < calls[call].invoked {
                earliest = max(earliest, slotOf[byEnd[ended]] ?? 0)
                ended += 1
            }
            guard let last = slotOf[call], earliest <= last else { continue }
            lastSlot[call] = last
            for slot in earliest...last { repeated[slot].append(call) }
        }
    }

    mutating func run(from initial: Model) -> Outcome {
        guard !slots.isEmpty else { return .found }
        var failed: Set<Node> = []
        var stack: [(node: Node, candidates: [Int], next: Int)] = []
        var furthest: Node?
        var entering: Node? = Node(slot: 0, remaining: slots[0], model: initial)
        while true {
            if let node = entering.take() {
                guard let settled = settle(node) else { return .found }
                if settled.slot > furthest?.slot ?? -1 { furthest = settled }
                if !failed.contains(settled) { stack.append((settled, candidates(settled), 0)) }
            }
            guard let (node, candidates, next) = stack.popLast() else { break }
            guard stepsLeft > 0 else { return .outOfSteps }
            guard next < candidates.count else {
                failed.insert(node)
                continue
            }
            stepsLeft -= 1
            // The last candidate's failure is that of the node.
            if next + 1 < candidates.count { stack.append((node, candidates, next + 1)) }
            entering = after(node, candidates[next])
        }
        return stuck(furthest ?? Node(slot: 0, remaining: slots[0], model: initial))
    }

    /// Goes on to the next slot when this one is done. `nil` when all are.
    private func settle(_ start: Node) -> Node? {
        var node = start
        while true {
            let isDue = repeated[node.slot].contains { !node.floating.contains($0) && lastSlot[$0] == node.slot }
            guard node.remaining.isEmpty, !isDue else { return node }
            let slot = node.slot + 1
            guard slot < slots.count else { return nil }
            // Those of slots that are over need not be remembered.
            node.floating = node.floating.filter { lastSlot[$0].map { $0 >= slot } ?? true }
            node.slot = slot
            node.remaining = slots[slot]
        }
    }

    /// A call that was made after this cannot be next: another one that has to come before it is not done.
    private func limit(_ node: Node) -> Int {
        var limit = firstEnd[node.slot + 1]
        for call in repeated[node.slot] where !node.floating.contains(call) {
            limit = min(limit, calls[call].ended ?? .max)
        }
        // In the order in which they were made: none ends before it was made.
        for call in node.remaining {
            guard calls[call].invoked < limit else { break }
            limit = min(limit, calls[call].ended ?? .max)
        }
        return limit
    }

    /// What may be next, the likely ones first: calls that change nothing, then others in the order in which they were
    /// made, and those of unknown outcome.
    private func candidates(_ node: Node) -> [Int] {
        let limit = limit(node)
        let own = node.remaining.prefix { calls[$0].invoked < limit }
        let late = repeated[node.slot].filter { calls[$0].invoked < limit && !node.floating.contains($0) }
        let answered = (own + late).sorted { calls[$0].invoked < calls[$1].invoked }
        let idle = answered.filter { call in
            var model = node.model
            return model.gives(calls[call]) && model == node.model
        }
        let isIdle = Set(idle)
        return idle + answered.filter { !isIdle.contains($0) }
            + unknown.prefix { calls[$0].invoked < limit }.filter { !node.floating.contains($0) }
    }

    private func after(_ node: Node, _ call: Int) -> Node? {
        var next = node
        guard next.model.gives(calls[call]) else { return nil }
        if let place = next.remaining.firstIndex(of: call) {
            next.remaining.remove(at: place)
        } else {
            next.floating.insert(call)
        }
        return next
    }

    private func stuck(_ node: Node) -> Outcome {
        let before = slots[..<node.slot].suffix(Self.shownBefore).joined().suffix(Self.shownBefore)
        let due = repeated[node.slot].filter { !node.floating.contains($0) }
        return .stuck((Array(before) + node.remaining + due).map { calls[$0] }, node.model)
    }
}
