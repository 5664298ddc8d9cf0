import DurableChaos
import DurableLMDB
import Testing

@Suite(.timeLimit(.minutes(2)))
struct CursorTests {
    private let folder: Folder

    init() throws { folder = try Folder() }

    private func filled(_ keys: [[UInt8]]) throws -> Environment {
        let environment = try Environment.small(at: folder.store)
        try environment.tryWrite { transaction in
            for key in keys { try transaction.put(key, key + [42], in: environment.main) }
        }
        return environment
    }

    private func keys(_ text: String...) -> [[UInt8]] { text.map { Array($0.utf8) } }

    @Test func aPrefixYieldsItsKeysInOrderAndNoOthers() throws {
        let environment = try filled(keys("b/2", "a/1", "b/1", "b", "b/10", "c"))
        let entries = try environment.tryRead { try $0.entries(prefix: "b/".utf8, in: environment.main) }
        #expect(entries.map(\.key) == keys("b/1", "b/10", "b/2"))
        #expect(entries.map(\.value) == keys("b/1*", "b/10*", "b/2*"))
        let none = try environment.tryRead { try $0.entries(prefix: "d".utf8, in: environment.main) }
        #expect(none.isEmpty)
    }

    @Test func iterationStartsAtAKeyAndStopsWhenToldTo() throws {
        let environment = try filled(keys("a", "b", "c", "d", "e"))
        var seen: [[UInt8]] = []
        try environment.tryRead { transaction in
            try transaction.forEach(from: "bb".utf8, in: environment.main) { key, _ in
                seen.append(Array(key))
                return seen.count < 2
            }
        }
        #expect(seen == keys("c", "d"))
        var count = 0
        try environment.tryRead { transaction in
            try transaction.forEach(in: environment.main) { _, _ in
                count += 1
                return true
            }
        }
        #expect(count == 5)
    }

    @Test func firstAndLastKeepToTheirPrefix() throws {
        let all: [[UInt8]] = [[1], [2], [2, 0], [2, 255], [2, 255, 255], [3], [255], [255, 255], [255, 255, 1]]
        let environment = try filled(all.shuffled())
        try environment.tryRead { transaction in
            for prefix: [UInt8] in [[], [1], [2], [2, 255], [3], [255], [255, 255], [4], [0]] {
                let expected = all.filter { $0.starts(with: prefix) }
                let first = try transaction.first(prefix: prefix, in: environment.main)?.key
                #expect(first == expected.first)
                let last = try transaction.last(prefix: prefix, in: environment.main)?.key
                #expect(last == expected.last)
            }
            let firstOfNone = try transaction.first(in: environment.database("other"))
            #expect(firstOfNone == nil)
            let lastOfNone = try transaction.last(in: environment.database("other"))
            #expect(lastOfNone == nil)
        }
    }

    /// A random load against a dictionary: every answer, order and count agrees.
    @Test(arguments: [1, 2, 3] as [UInt64]) func aRandomLoadAgreesWithADictionary(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let environment = try Environment.open(directory: folder.store, options: .small(mapBytes: 64 * 1024))
        var model: [[UInt8]: [UInt8]] = [:]
        for _ in 0..<200 {
            let changed = try environment.tryWrite { transaction in
                var changed = model
                var random = random
                for _ in 0..<Int.random(in: 1...10, using: &random) {
                    let key = [UInt8.random(in: 0...3, using: &random), UInt8.random(in: 0...20, using: &random)]
                    switch Int.random(in: 0..<20, using: &random) {
                    case 0:
                        let deleted = try transaction.deletePrefix(key.prefix(1), in: environment.main)
                        let kept = changed.filter { $0.key[0] != key[0] }
                        #expect(deleted == changed.count - kept.count, "seed \(seed)")
                        changed = kept
                    case 1..<6:
                        let wasThere = try transaction.delete(key, in: environment.main)
                        #expect(wasThere == (changed.removeValue(forKey: key) != nil), "seed \(seed)")
                    default:
                        let count = Int.random(in: 0...3000, using: &random)
                        let value = [UInt8](repeating: key[1], count: count)
                        try transaction.put(key, value, in: environment.main)
                        changed[key] = value
                    }
                }
                return changed
            }
            model = changed
            _ = random.next()
            let stored = try environment.tryRead { try $0.entries(prefix: [], in: environment.main) }
            let expected = model.sorted { $0.key.lexicographicallyPrecedes($1.key) }
            #expect(stored.map(\.key) == expected.map(\.key), "seed \(seed)")
            #expect(stored.map(\.value) == expected.map(\.value), "seed \(seed)")
        }
        try environment.tryWrite { try $0.deleteAll(in: environment.main) }
        #expect(try environment.statistics().entries == ["main": 0, "other": 0])
    }

    @Test func deletingFromOneKeyUpToAnotherLeavesTheOthers() throws {
        let environment = try filled(keys("a", "b", "b/1", "b/2", "c", "d"))
        var seen: [[UInt8]] = []
        let deleted = try environment.tryWrite { transaction in
            seen = []
            return try transaction.delete(from: Array("b".utf8), upTo: Array("c".utf8), in: environment.main) {
                seen.append(Array($0) + Array($1.suffix(1)))
            }
        }
        #expect(deleted == 3)
        #expect(seen == keys("b*", "b/1*", "b/2*"))
        let left = try environment.tryRead { try $0.entries(prefix: [], in: environment.main) }
        #expect(left.map(\.key) == keys("a", "c", "d"))
        let none = try environment.tryWrite { transaction in
            try transaction.delete(from: Array("x".utf8), upTo: Array("z".utf8), in: environment.main) { _, _ in }
        }
        #expect(none == 0)
    }
}
