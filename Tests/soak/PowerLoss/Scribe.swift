import DurableActors
import DurableChaos

/// Writes all kinds of state: small and large values, collections that grow and shrink. What it holds follows from how
/// many calls it has had.
distributed actor Scribe: DurableActor {
    /// Which one it is.
    struct Place: Codable, Sendable {
        var number: Int
    }

    @Checkpointed var number = 0
    @Checkpointed var count = 0
    @Checkpointed var note = ""
    @Checkpointed var large: [UInt8] = []
    @Checkpointed var entries = CheckpointedDictionary<Int, [UInt8]>()

    init(_ place: Place, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
        number = place.number
    }

    /// Makes the next change, and says which it was.
    distributed func write() -> Int {
        count += 1
        let step = Step(number: number, count: count)
        if let note = step.note { self.note = note }
        if let large = step.large { self.large = large }
        if step.isClearing { entries.removeAll() }
        for (key, value) in step.entries { entries[key] = value }
        return count
    }

    /// How many changes there have been, and what is wrong with the state if it is not exactly what they make.
    distributed func audit() -> Audit {
        var (note, large, entries): (String, [UInt8], [Int: [UInt8]]) = ("", [], [:])
        for count in stride(from: 1, through: count, by: 1) {
            let step = Step(number: number, count: count)
            note = step.note ?? note
            large = step.large ?? large
            if step.isClearing { entries = [:] }
            for (key, value) in step.entries { entries[key] = value }
        }
        var fault: String?
        if note != self.note { fault = "the note is \(self.note), not \(note)" }
        if large != self.large { fault = "the large value has \(self.large.count) bytes, not these \(large.count)" }
        let found = Dictionary(uniqueKeysWithValues: self.entries.map { ($0.key, $0.value) })
        if found != entries { fault = "there are \(found.count) entries, not these \(entries.count)" }
        return Audit(count: count, fault: fault)
    }

    struct Audit: Codable, Sendable {
        var count: Int
        var fault: String?
    }

    /// What one call changes.
    struct Step {
        var note: String?
        var large: [UInt8]?
        var isClearing = false
        var entries: [(Int, [UInt8]?)] = []

        init(number: Int, count: Int) {
            var generator = SeededGenerator(seed: UInt64(number) << 32 + UInt64(count))
            func chance(_ of: Int) -> Bool { Int.random(in: 0..<of, using: &generator) == 0 }
            func bytes(_ length: Int) -> [UInt8] { [UInt8](repeating: UInt8(truncatingIfNeeded: count), count: length) }
            if chance(2) { note = "\(number).\(count)" }
            // Around the sizes at which LMDB gives a value pages of its own.
            if chance(4) {
                large = bytes([0, 100, 2000, 2038, 4070, 4096, 9000][Int.random(in: 0..<7, using: &generator)])
            }
            isClearing = chance(20)
            for _ in 0..<Int.random(in: 0...3, using: &generator) {
                let key = Int.random(in: 0..<24, using: &generator)
                let length = [1, 40, 300, 1500, 2100][Int.random(in: 0..<5, using: &generator)]
                entries.append((key, chance(3) ? nil : bytes(length)))
            }
        }
    }
}
