import DurableActors
import DurableChaos
import Testing

/// Each collection does what its plain counterpart does, over turns, commits and ends of the process.
@Suite struct CollectionTests {
    private struct Entry: Codable, Equatable {
        var text: String
        var numbers: [Int]
    }

    @Test(
        "a dictionary agrees with Swift's over random operations and crashes",
        arguments: 1...6 as ClosedRange<UInt64>
    )
    func dictionary(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let model = try StoredPropertyModel { CheckpointedDictionary<String, Entry>() }
        var plain: [String: Entry] = [:]
        var committed = plain
        for step in 0..<600 {
            let entries = model.property.wrappedValue
            let key = "key \(Int.random(in: 0..<40, using: &random))"
            let entry = Entry(text: "\(step)", numbers: [step])
            switch Int.random(in: 0..<14, using: &random) {
            case 0...2: entries[key] = entry; plain[key] = entry
            case 3: entries[key] = nil; plain[key] = nil
            case 4: #expect(entries.removeValue(forKey: key) == plain.removeValue(forKey: key))
            case 5: #expect(entries.updateValue(entry, forKey: key) == plain.updateValue(entry, forKey: key))
            case 6: entries[key]?.numbers.append(step); plain[key]?.numbers.append(step)
            case 7:
                entries[key, default: entry].text += "+"
                plain[key, default: entry].text += "+"
            case 8:
                guard Int.random(in: 0..<12, using: &random) == 0 else { break }
                entries.removeAll(); plain.removeAll()
            case 9:
                guard Int.random(in: 0..<8, using: &random) == 0 else { break }
                model.property.wrappedValue = ["new": entry]; plain = ["new": entry]
            case 10: try model.endTurn()
            case 11...12:
                try model.endTurn()
                try model.commit()
                committed = plain
            default:
                try model.crash()
                plain = committed
            }
            let now = model.property.wrappedValue
            try #require(now.count == plain.count, "seed \(seed), step \(step)")
            #expect(now[key] == plain[key], "seed \(seed), step \(step)")
            #expect(now.contains(key) == (plain[key] != nil), "seed \(seed), step \(step)")
            guard step % 7 == 0 else { continue }
            let sorted = plain.sorted { $0.key < $1.key }
            #expect(now.map(\.key) == sorted.map(\.key), "seed \(seed), step \(step)")
            #expect(now.map(\.value) == sorted.map(\.value), "seed \(seed), step \(step)")
            #expect(now.first?.key == sorted.first?.key && now.last?.key == sorted.last?.key)
            let range = now.elements(in: "key 1"..<"key 3").map(\.key)
            #expect(range == sorted.map(\.key).filter { $0 >= "key 1" && $0 < "key 3" })
        }
        try model.endTurn()
        try model.commit()
        #expect(try model.rowsLeft() == plain.count, "seed \(seed): rows of removed entries are left")
    }

    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func `an array agrees with Swift's over random operations and crashes`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let model = try StoredPropertyModel { CheckpointedArray<Int>() }
        var plain: [Int] = []
        var committed = plain
        for step in 0..<800 {
            let array = model.property.wrappedValue
            let at = plain.isEmpty ? 0 : Int.random(in: 0..<plain.count, using: &random)
            switch Int.random(in: 0..<16, using: &random) {
            case 0...2: array.append(step); plain.append(step)
            case 3: array += [step, step + 1]; plain += [step, step + 1]
            case 4: array.prepend(step); plain.insert(step, at: 0)
            case 5: array.insert(step, at: at); plain.insert(step, at: at)
            case 6: if !plain.isEmpty { #expect(array.remove(at: at) == plain.remove(at: at)) }
            case 7: if !plain.isEmpty { array[at] += 1; plain[at] += 1 }
            case 8: if !plain.isEmpty { array.swapAt(0, at); plain.swapAt(0, at) }
            case 9: #expect(array.popFirst() == (plain.isEmpty ? nil : plain.removeFirst()))
            case 10: #expect(array.popLast() == plain.popLast())
            case 11:
                guard Int.random(in: 0..<12, using: &random) == 0 else { break }
                array.removeAll(); plain.removeAll()
            case 12: try model.endTurn()
            case 13...14:
                try model.endTurn()
                try model.commit()
                committed = plain
            default:
                try model.crash()
                plain = committed
            }
            let now = model.property.wrappedValue
            try #require(now.count == plain.count, "seed \(seed), step \(step)")
            if step % 7 == 0 { try #require(Array(now) == plain, "seed \(seed), step \(step)") }
        }
        model.property.wrappedValue.sort()
        #expect(Array(model.property.wrappedValue) == plain.sorted())
        try model.endTurn()
        try model.commit()
        #expect(try model.rowsLeft() == plain.count, "seed \(seed): rows of removed elements are left")
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func `a set agrees with Swift's over random operations and crashes`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let model = try StoredPropertyModel { CheckpointedSet<Int>([-3, 7]) }
        var plain: Set<Int> = [-3, 7]
        var committed = plain
        for step in 0..<500 {
            let set = model.property.wrappedValue
            let member = Int.random(in: -20..<20, using: &random)
            switch Int.random(in: 0..<9, using: &random) {
            case 0...2: #expect(set.insert(member) == plain.insert(member).inserted)
            case 3...4: #expect(set.remove(member) == plain.remove(member))
            case 5: set.formUnion([member, 99]); plain.formUnion([member, 99])
            case 6: try model.endTurn()
            case 7:
                try model.endTurn()
                try model.commit()
                committed = plain
            default:
                try model.crash()
                plain = committed
            }
            let now = model.property.wrappedValue
            try #require(Array(now) == plain.sorted(), "seed \(seed), step \(step)")
            #expect(now.count == plain.count && now.contains(member) == plain.contains(member))
            #expect(now.first == plain.min() && now.last == plain.max())
        }
    }

    @Test
    func `what the constructor put into a property that was never stored stays until it is changed`() throws {
        let model = try StoredPropertyModel { CheckpointedArray([1, 2]) }
        try model.crash()
        #expect(Array(model.property.wrappedValue) == [1, 2])
        model.property.wrappedValue.append(3)
        try model.endTurn()
        try model.commit()
        try model.crash()
        #expect(Array(model.property.wrappedValue) == [1, 2, 3])
    }

    @Test
    func `values and keys of any size are stored, and found again`() throws {
        let model = try StoredPropertyModel { CheckpointedDictionary<String, [UInt8]>() }
        var plain: [String: [UInt8]] = [:]
        for size in [0, 1, 400, 486, 487, 490, 500, 501, 502, 503, 504, 2_000, 100_000] {
            let key = String(repeating: "k", count: size)
            plain[key] = [UInt8](repeating: UInt8(size & 255), count: 10 + size * 30)
            model.property.wrappedValue[key] = plain[key]
        }
        try model.endTurn()
        try model.commit()
        try model.crash()
        for (key, value) in plain { #expect(model.property.wrappedValue[key] == value, "\(key.utf8.count)") }
        #expect(model.property.wrappedValue.count == plain.count)
        for key in plain.keys where key.utf8.count > 450 { model.property.wrappedValue[key] = nil }
        try model.endTurn()
        try model.commit()
        try model.crash()
        #expect(model.property.wrappedValue.map(\.key) == plain.keys.filter { $0.utf8.count <= 450 }.sorted())
        #expect(try model.rowsLeft() == 3)
    }
}
