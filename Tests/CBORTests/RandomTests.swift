import CBOR
import DurableChaos
import Testing

/// Makes random items and values.
struct RandomValues {
    var generator: SeededGenerator

    mutating func number(_ range: Range<Int>) -> Int { Int.random(in: range, using: &generator) }

    /// An integer whose size is random too.
    mutating func argument() -> UInt64 { generator.next() >> UInt64(number(0..<64)) }

    mutating func text() -> String {
        let alphabet: [Character] = ["a", "b", "c", "\u{fc}", "\u{6c34}", "\u{10151}", "\"", "\\", "\n", "\u{0}"]
        return String((0..<number(0..<30)).map { _ in alphabet[number(0..<alphabet.count)] })
    }

    mutating func bytes() -> [UInt8] { (0..<number(0..<40)).map { _ in UInt8(number(0..<256)) } }

    mutating func item(depth: Int) -> CBORValue {
        switch number(0..<(depth > 0 ? 13 : 9)) {
        case 0: return .unsigned(argument())
        case 1: return .negative(argument())
        case 2: return .bytes(bytes())
        case 3: return .text(text())
        case 4: return .bool(number(0..<2) == 0)
        case 5: return .null
        case 6: return .undefined
        case 7: return .float(Double(bitPattern: generator.next()))
        case 8: return .float(Double(number(-1000..<1000)) / 8)
        case 9: return .tagged(argument(), item(depth: depth - 1))
        case 10: return .array((0..<number(0..<30)).map { _ in item(depth: depth - 1) })
        default:
            var keys: Set<[UInt8]> = []
            var entries: [CBORValue.Entry] = []
            for _ in 0..<number(0..<30) {
                let key = number(0..<4) == 0 ? item(depth: 1) : .text(text())
                guard let bytes = try? CBOREncoder().encode(key), keys.insert(bytes).inserted else { continue }
                entries.append(.init(key, item(depth: depth - 1)))
            }
            return .map(entries)
        }
    }

    mutating func shape(depth: Int) -> Shape {
        switch number(0..<(depth > 0 ? 4 : 3)) {
        case 0: .point
        case 1: .circle(radius: Double(number(-500..<500)) / 7)
        case 2: .rectangle(number(-1000..<1000), height: number(0..<2) == 0 ? nil : number(Int.min..<Int.max))
        default: .group((0..<number(0..<4)).map { _ in shape(depth: depth - 1) }, name: text())
        }
    }

    mutating func inner() -> Inner {
        Inner(
            z: (0..<number(0..<40)).map { _ in Int(truncatingIfNeeded: argument()) },
            a: Dictionary((0..<number(0..<40)).map { _ in (text(), number(0..<2) == 0) }) { first, _ in first }
        )
    }

    mutating func outer() -> Outer {
        Outer(
            name: text(),
            count: Int(truncatingIfNeeded: generator.next()),
            inner: inner(),
            list: (0..<number(0..<4)).map { _ in inner() },
            maybe: number(0..<2) == 0 ? nil : inner(),
            absent: nil,
            flag: number(0..<2) == 0,
            shape: shape(depth: 4)
        )
    }
}

@Suite struct RandomTests {
    @Test func `Random items round-trip to the same item and the same bytes`() throws {
        var values = RandomValues(generator: SeededGenerator(seed: testSeed))
        for round in 0..<2000 {
            let item = values.item(depth: 4)
            let bytes = try CBOREncoder().encode(item)
            let copy = try CBORDecoder().decode(CBORValue.self, from: bytes)
            try #require(copy == item, "seed \(testSeed), round \(round)")
            try #require(try CBOREncoder().encode(copy) == bytes, "seed \(testSeed), round \(round)")
        }
    }

    @Test func `Random structs round-trip`() throws {
        var values = RandomValues(generator: SeededGenerator(seed: testSeed &+ 1))
        for round in 0..<1000 {
            let value = values.outer()
            let bytes = try CBOREncoder().encode(value)
            try #require(try CBORDecoder().decode(Outer.self, from: bytes) == value, "seed \(testSeed), round \(round)")
            let item = try CBORDecoder().decode(CBORValue.self, from: bytes)
            try #require(try CBOREncoder().encode(item) == bytes, "seed \(testSeed), round \(round)")
        }
    }

    /// Every mutated input must be decoded or refused with a `DecodingError`. What decodes as an item must encode
    /// again, and that encoding must be stable.
    @Test func `Mutated inputs never trap and are decoded or refused in bounded time`() throws {
        var values = RandomValues(generator: SeededGenerator(seed: testSeed &+ 2))
        let corpus =
            try (0..<60).map { index in
                index % 2 == 0
                    ? try CBOREncoder().encode(values.outer()) : try CBOREncoder().encode(values.item(depth: 3))
            } + AppendixATests.all.map { bytes(hex: $0.hex) }
        var accepted = 0
        let elapsed = ContinuousClock().measure {
            for round in 0..<60_000 {
                var input = corpus[values.number(0..<corpus.count)]
                if input.count > 400 { input = Array(input.prefix(400)) }
                for _ in 0...values.number(0..<4) { mutate(&input, &values) }
                do {
                    if try isAccepted(input, round) { accepted += 1 }
                } catch {
                    Issue.record("\(error) for \(hex(input)), seed \(testSeed), round \(round)")
                    return
                }
            }
        }
        #expect(accepted > 1000, "the mutations leave hardly anything valid")
        #expect(elapsed < .seconds(300))
    }

    private func mutate(_ input: inout [UInt8], _ values: inout RandomValues) {
        let place = values.number(0..<max(1, input.count))
        let markers: [UInt8] = [
            0x00, 0x5f, 0x7f, 0x9f, 0xbf, 0xff, 0x1b, 0x3b, 0x5b, 0x7b, 0x9b, 0xbb, 0xc2, 0xc3, 0xf6, 0xd9, 0xfb,
        ]
        guard place < input.count else { return input.append(markers[values.number(0..<markers.count)]) }
        switch values.number(0..<6) {
        case 0: input[place] ^= 1 << UInt8(values.number(0..<8))
        case 1: input[place] = UInt8(values.number(0..<256))
        case 2: input[place] = markers[values.number(0..<markers.count)]
        case 3: input.insert(UInt8(values.number(0..<256)), at: place)
        case 4: input.remove(at: place)
        default: input.removeLast(values.number(0..<input.count - place) / 4)
        }
    }

    private func isAccepted(_ input: [UInt8], _ round: Int) throws -> Bool {
        let types: [any Decodable.Type] = [
            Outer.self, Shape.self, [String: [Int??]].self, [Int: String].self, [UInt8].self, Dog.self, Nest.self,
            [Identifier: Int128].self, [Set<Int8>].self, Float.self,
        ]
        for offset in 0..<3 {
            let type = types[(round + offset) % types.count]
            do { _ = try CBORDecoder().decode(type, from: input) } catch is DecodingError {}
        }
        do {
            let item = try CBORDecoder().decode(CBORValue.self, from: input)
            let bytes = try CBOREncoder().encode(item)
            let copy = try CBORDecoder().decode(CBORValue.self, from: bytes)
            guard copy == item, try CBOREncoder().encode(copy) == bytes else {
                throw EncodingError.invalidValue(item, .init(codingPath: [], debugDescription: "unstable encoding"))
            }
            _ = try CBORDiagnostic.json(input)
            return true
        } catch is DecodingError {
            #expect(throws: DecodingError.self) { try CBORDiagnostic.json(input) }
            return false
        }
    }
}
