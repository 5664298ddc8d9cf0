import DurableChaos
import DurableCore
import DurableStore
import Foundation
import Testing

@Suite struct OrderedKeyTests {
    private struct Name: Codable, Comparable {
        var last: String
        var first: String?
        var number: Int

        static func < (left: Name, right: Name) -> Bool {
            if left.last != right.last { return left.last < right.last }
            if left.first != right.first {
                return left.first.map { one in right.first.map { one < $0 } ?? false } ?? true
            }
            return left.number < right.number
        }
    }

    private enum Shape: Codable {
        case circle(Int)
        case square(Int, Int)
    }

    /// Neighbours in order have keys in order, and equal values have equal keys.
    private func check<Key: Codable & Comparable>(_ keys: [Key], _ comment: Comment? = nil) throws {
        let sorted = keys.sorted()
        let encoded = try sorted.map { try OrderedKey.encode($0) }
        for (index, (left, right)) in zip(encoded, encoded.dropFirst()).enumerated() {
            let isEqual = sorted[index] == sorted[index + 1]
            #expect(
                isEqual ? left == right : left.lexicographicallyPrecedes(right),
                "\(sorted[index]) and \(sorted[index + 1])"
            )
        }
    }

    @Test
    func `integers of all widths sort by value`() throws {
        var random = SeededGenerator(seed: 3)
        let edges: [Int] = [.min, .max, 0, -1, 1, 255, 256, -255, -256, 65_535, 65_536, -65_536]
        try check(
            edges
                + (0..<500).map { _ in
                    Int.random(in: .min ... .max, using: &random) >> Int.random(in: 0..<64, using: &random)
                }
        )
        try check((0..<256).map { Int8(bitPattern: UInt8($0)) })
        try check([UInt64.max, .max - 1, 1 << 63, 1 << 63 - 1, 0])
        try check([Int128.max, .min, 0, -1, Int128(Int64.min) - 1, Int128(UInt64.max) + 1])
        #expect(try OrderedKey.encode(Int8(-5)) == OrderedKey.encode(Int64(-5)), "the width does not matter")
    }

    @Test
    func `strings sort by Unicode scalars, also with null characters, and equal ones share a key`() throws {
        try check(["", "\0", "\0\0", "a", "a\0", "a\0b", "ab", "b", "ä", "z", "é", "e\u{301}", "日本", "😀", "\u{ffff}"])
        #expect(try OrderedKey.encode("é") == OrderedKey.encode("e\u{301}"))
    }

    @Test
    func `floating-point numbers sort by value; both zeros are one key`() throws {
        try check([-Double.infinity, -1e300, -1.5, -0.0, 0.0, Double.leastNonzeroMagnitude, 1, 1.5, .infinity])
        try check([-Float.infinity, -1.5, 0, 1, .infinity])
        #expect(try OrderedKey.encode(Double.nan) == OrderedKey.encode(-Double.nan))
    }

    @Test
    func `the parts of a struct count in order, and an absent part is not the next one`() throws {
        var random = SeededGenerator(seed: 9)
        let names = ["", "a", "aa", "b", "\0"]
        let keys = (0..<300).map { _ in
            Name(
                last: names.randomElement(using: &random) ?? "",
                first: Bool.random(using: &random) ? names.randomElement(using: &random) : nil,
                number: Int.random(in: -3...3, using: &random)
            )
        }
        try check(keys)
    }

    @Test
    func `lists, dates, booleans, identifiers and cases of enums can be keys`() throws {
        #expect(try OrderedKey.encode([1]).lexicographicallyPrecedes(OrderedKey.encode([1, 0])))
        #expect(try OrderedKey.encode([1, 0]).lexicographicallyPrecedes(OrderedKey.encode([2])))
        let nested: [[Int?]] = [[nil], [nil, nil], [nil, 1], [1, nil]]
        let encoded = try nested.map { try OrderedKey.encode($0) }
        for (left, right) in zip(encoded, encoded.dropFirst()) { #expect(left.lexicographicallyPrecedes(right)) }
        try check([Date(timeIntervalSinceReferenceDate: -5), .distantPast, .distantFuture])
        #expect(try OrderedKey.encode(false).lexicographicallyPrecedes(OrderedKey.encode(true)))
        #expect(try OrderedKey.encode([UInt8]([0, 1])).lexicographicallyPrecedes(OrderedKey.encode([UInt8]([1]))))
        #expect(try OrderedKey.encode(Shape.circle(9)).lexicographicallyPrecedes(OrderedKey.encode(Shape.square(1, 1))))
        #expect(
            try OrderedKey.encode(Shape.square(1, 1)).lexicographicallyPrecedes(OrderedKey.encode(Shape.square(1, 2)))
        )
        #expect(try OrderedKey.encode(UUID()).count < 50)
    }

    @Test
    func `what has no order is refused`() {
        #expect(throws: EncodingError.self) { try OrderedKey.encode(["a": 1]) }
        #expect(throws: EncodingError.self) { try OrderedKey.encode([Set([1])]) }
    }

    @Test
    func `a long key is cut, keeps its place by its beginning, and stays its own`() throws {
        let one = String(repeating: "x", count: 600)
        let keys = try [one + "a", one + "b", one].map { try OrderedKey.encode($0) }
        #expect(Set(keys).count == 3 && keys.allSatisfy { OrderedKey.isCut($0) && $0.count <= 503 })
        #expect(try keys[0].lexicographicallyPrecedes(OrderedKey.encode("y")))
        #expect(try !OrderedKey.isCut(OrderedKey.encode(String(repeating: "x", count: 500))))
        #expect(try OrderedKey.isCut(OrderedKey.encode(String(repeating: "x", count: 501))))
    }

    @Test
    func `the hash is SipHash-2-4 with 128 bits, by the algorithm's published vectors`() {
        func hex(_ bytes: [UInt8]) -> String { bytes.map { String(Int($0) + 256, radix: 16).dropFirst() }.joined() }
        #expect(hex(SipHash128.hash([])) == "a3817f04ba25a8e66df67214c7550293")
        #expect(hex(SipHash128.hash([0])) == "da87c1d86b99af44347659119b22fc45")
        #expect(hex(SipHash128.hash([0, 1])) == "8177228da4a45dc7fca38bdef60affe4")
    }
}
