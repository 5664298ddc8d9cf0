import DurableChaos
import DurableCore
import Testing

/// Values by growing sequence numbers.
@Suite struct SequenceWindowTests {
    @Test func `it says the same as a dictionary, whatever comes and goes`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(seed: seed)
        var window = SequenceWindow<UInt64>()
        var model: [UInt64: UInt64] = [:]
        var next: UInt64 = 1
        for _ in 0..<20_000 {
            switch Int.random(in: 0..<10, using: &generator) {
            case 0..<4:
                // Some numbers are used up without a value.
                next += Bool.random(using: &generator) ? 1 : UInt64.random(in: 1...3, using: &generator)
                window.append(next * 2, at: next)
                model[next] = next * 2
            case 4..<8:
                let number = UInt64.random(in: 0...next + 1, using: &generator)
                #expect(window.remove(number) == model.removeValue(forKey: number), "seed \(seed)")
            case 8:
                // From the front, as calls that are answered in order.
                guard let first = model.keys.min() else { continue }
                #expect(window.remove(first) == model.removeValue(forKey: first), "seed \(seed)")
            default:
                let number = UInt64.random(in: 0...next + 1, using: &generator)
                window.update(number) { $0 += 1 }
                if model[number] != nil { model[number]! += 1 }
                #expect(window[number] == model[number], "seed \(seed)")
            }
            #expect(window.count == model.count && window.first == model.keys.min(), "seed \(seed)")
        }
        #expect(window.sequences == model.keys.sorted(), "seed \(seed)")
        window.removeAll()
        #expect(window.isEmpty && window.first == nil && window.sequences.isEmpty)
    }
}
