internal import DurableCore

/// Write sets that are committed together, in the order in which they are stored: those of one actor after each other
/// and in their own order, the actors as their rows lie. So one page after the other is changed, and each once.
struct WriteGroup {
    /// How far is looked for a later value of a property.
    private static let lookahead = 4

    private let sets: [WriteSet]

    init(_ sets: [WriteSet]) {
        let isSorted = zip(sets, sets.dropFirst()).allSatisfy { $0.actor <= $1.actor }
        guard !isSorted else {
            self.sets = sets
            return
        }
        let order = sets.indices.sorted { left, right in
            let (first, second) = (sets[left].actor, sets[right].actor)
            return first == second ? left < right : first < second
        }
        self.sets = order.map { sets[$0] }
    }

    var places: Range<Int> { sets.indices }

    subscript(place: Int) -> WriteSet { sets[place] }

    /// Whether one of the next write sets gives a property another value, so that this one need not be stored.
    func isReplaced(_ change: WriteSet.Change, at place: Int) -> Bool {
        guard case .property(let name, .value) = change else { return false }
        for set in sets[(place + 1)...].prefix(Self.lookahead) {
            guard set.actor == sets[place].actor else { return false }
            for case .property(name, .value) in set.changes { return true }
        }
        return false
    }
}
