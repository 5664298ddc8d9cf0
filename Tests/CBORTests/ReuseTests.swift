import CBOR
import DurableChaos
import Testing

/// Coders keep memory and nodes from one value to the next; none of that may show.
@Suite struct ReuseTests {
    // Encoding.

    @Test func `An encoder that outlives its encoding cannot be written to and does not disturb the next one`() throws {
        let keeper = EncoderKeeper()
        let expected = try encoded(Pair(first: 1, second: "a"))
        _ = try CBOREncoder().encode(keeper)
        #expect(throws: EncodingError.self) { try keeper.container?.encode(7, forKey: .second) }
        #expect(try encoded(Pair(first: 1, second: "a")) == expected)
        #expect(throws: EncodingError.self) { try keeper.container?.encode("b", forKey: .second) }
        _ = keeper.encoder?.unkeyedContainer()
        #expect(try encoded(Pair(first: 1, second: "a")) == expected)
    }

    @Test func `An encoder whose value failed and was left out cannot be written to`() throws {
        let keeper = EncoderKeeper(fails: true)
        let expected = try encoded(Pair(first: 1, second: "a"))
        #expect(try encoded(Forgiving(keeper: keeper)) == "a1646c61737401")
        #expect(throws: EncodingError.self) { try keeper.container?.encode(7, forKey: .second) }
        _ = keeper.encoder?.singleValueContainer()
        #expect(try encoded(Pair(first: 1, second: "a")) == expected)
    }

    @Test func `A failed encoding leaves nothing behind`() throws {
        let expected = try encoded(Pair(first: 1, second: "a"))
        for _ in 0..<10 {
            #expect(throws: EncoderKeeper.Failure.self) { try CBOREncoder().encode(EncoderKeeper(fails: true)) }
            #expect(throws: EncodingError.self) { try CBOREncoder().encode([Twice()]) }
            #expect(try encoded(Pair(first: 1, second: "a")) == expected)
        }
    }

    @Test func `User info ends with its encoding`() throws {
        var encoder = CBOREncoder()
        encoder.userInfo[.mark] = "here"
        for _ in 0..<3 {
            #expect(hex(try encoder.encode(Marked())) == "6468657265")
            #expect(try encoded(Marked()) == "646e6f6e65")
        }
    }

    @Test func `A value that is encoded inside another encoding comes out as always`() throws {
        let outer = try CBOREncoder().encode(Recursive(depth: 12))
        let again = try CBOREncoder().encode(Recursive(depth: 12))
        #expect(outer == again)
        var expected = try CBOREncoder().encode(Recursive(depth: 0))
        for depth in 1...12 { expected = try CBOREncoder().encode(Nesting(depth: depth, inner: expected)) }
        #expect(outer == expected)
    }

    @Test func `Keys are sorted whatever order and number one type writes them in`() throws {
        var generator = SeededGenerator(seed: testSeed &+ 21)
        let names = (0..<40).map { String(repeating: "k", count: $0 % 11) + String($0) }
        for round in 0..<600 {
            let count = Int.random(in: 0...(round.isMultiple(of: 3) ? 40 : 6), using: &generator)
            let keys = (0..<count).map { _ in names.randomElement(using: &generator) ?? "" }
            var last: [String: Int] = [:]
            for (index, key) in keys.enumerated() { last[key] = index }
            #expect(
                try encoded(AnyOrder(keys: keys)) == encoded(last),
                "seed \(testSeed), round \(round): \(keys)"
            )
        }
    }

    // Decoding.

    @Test func `A decoder that outlives its decoding still reads its value`() throws {
        let input = try CBOREncoder().encode(Pair(first: 5, second: "a string that is longer than a word"))
        var keepers: [DecoderKeeper] = []
        for _ in 0..<3 {
            var copy = input
            keepers.append(try CBORDecoder().decode(DecoderKeeper.self, from: copy))
            for index in copy.indices { copy[index] = 0 }
        }
        for _ in 0..<5 { _ = try roundTripped(Pair(first: 6, second: "another")) }
        for keeper in keepers {
            let pair = try Pair(from: keeper.decoder)
            #expect(pair.first == 5 && pair.second == "a string that is longer than a word")
        }
    }

    @Test func `A decoder whose value failed still reads it afterwards`() throws {
        let box = DecoderBox()
        var reader = CBORDecoder()
        reader.userInfo[.box] = box
        let value = try reader.decode(ForgivingReader.self, from: bytes(hex: "8201a0"))
        #expect(value.count == 0)
        for _ in 0..<5 { _ = try roundTripped(Pair(first: 6, second: "another")) }
        let decoder = try #require(box.decoder)
        // The decoder keeps the user info, and with it the box.
        box.decoder = nil
        #expect(try Int(from: decoder) == 1)
    }

    @Test func `Maps of all shapes are read by one type`() throws {
        var generator = SeededGenerator(seed: testSeed &+ 22)
        for round in 0..<400 {
            let number = { Bool.random(using: &generator) ? Int.random(in: 0...1000, using: &generator) : nil }
            let value = Sparse(a: number(), bb: number(), ccc: number(), aLongName: number(), aLongNamf: number())
            let noise = (0..<Int.random(in: 0...4, using: &generator)).map { "x\($0)" }
            var entries = noise.map { CBORValue.Entry(.text($0), .null) }
            for case (let name, let number?) in value.members { entries.append(.init(.text(name), .init(number))) }
            let input = try CBOREncoder().encode(CBORValue.map(entries))
            #expect(try CBORDecoder().decode(Sparse.self, from: input) == value, "seed \(testSeed), round \(round)")
        }
    }

    @Test func `User info ends with its decoding, also for the elements of byte strings`() throws {
        var decoder = CBORDecoder()
        decoder.userInfo[.mark] = "here"
        for _ in 0..<3 {
            #expect(try decoder.decode([Marked].self, from: bytes(hex: "420102")).map(\.text) == ["here", "here"])
            #expect(try decoded([Marked].self, "420102").map(\.text) == ["none", "none"])
            #expect(try decoder.decode([Marked].self, from: bytes(hex: "820102")).map(\.text) == ["here", "here"])
        }
    }

    @Test func `Whole values are read the same with and without a session`() throws {
        var generator = SeededGenerator(seed: testSeed &+ 23)
        var inputs = (0...255).map { [UInt8($0)] } + [[]]
        for first in UInt8.min...UInt8.max {
            for count in [1, 2, 3, 4, 5, 8, 9] {
                inputs.append([first] + (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) })
            }
        }
        for length in 0...300 {
            let text = try CBOREncoder().encode(String(repeating: "ä1", count: length / 2))
            inputs += [text, text.dropLast(), text + [0], [0xc1] + text]
        }
        for number in [Int.min, .max, -1, 0, 23, 24, -24, -25, 255, 256, -256, -257, 65536, 1 << 32] {
            inputs.append(try CBOREncoder().encode(number))
        }
        for input in inputs {
            #expect(outcome(Int.self, input) == outcome(Int.self, input, isPlain: false), "\(hex(input))")
            #expect(outcome(String.self, input) == outcome(String.self, input, isPlain: false), "\(hex(input))")
            #expect(outcome(Bool.self, input) == outcome(Bool.self, input, isPlain: false), "\(hex(input))")
        }
    }

    @Test func `Arrays of simple values name the element that is wrong`() throws {
        #expect(decodingPath([String: [Int]].self, "a1616b82016161") == ["k", "Index 1"])
        #expect(decodingPath([String: [String]].self, "a1616b82616101") == ["k", "Index 1"])
        #expect(decodingPath([[Double]].self, "8181f6") == ["Index 0", "Index 0"])
        #expect(try decoded([Int].self, "43010203") == [1, 2, 3])
        #expect(try decoded([Double].self, "420102") == [1, 2])
        #expect(isMismatch([String].self, "6161"))
        #expect(isMismatch([String].self, "4161"))
        #expect(try decoded([String].self, "c282c16161d81e6162") == ["a", "b"])
        #expect(try roundTripped((0..<1000).map(String.init)) == (0..<1000).map(String.init))
    }

    @Test func `The depth limit counts arrays of simple values`() throws {
        var encoder = CBOREncoder()
        encoder.depthMax = 2
        #expect(hex(try encoder.encode([[1]])) == "818101")
        #expect(throws: EncodingError.self) { try encoder.encode([[[1]]]) }
        #expect(throws: EncodingError.self) { try encoder.encode([[[String]()]]) }
        encoder.depthMax = 1
        #expect(hex(try encoder.encode(["a"])) == "816161")
        #expect(throws: EncodingError.self) { try encoder.encode([[1.5]]) }
    }

    @Test func `Many tasks encode and decode at once`() async throws {
        try await withThrowingTaskGroup { group in
            for task in 0..<8 {
                group.addTask {
                    for number in 0..<500 {
                        let pair = Pair(first: task * 1000 + number, second: String(repeating: "s", count: number % 40))
                        let value = Deep(pairs: [pair, pair], names: ["a": pair], numbers: [1, 2, number])
                        let copy = try roundTripped(value)
                        #expect(copy == value)
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    private func outcome<Value: Decodable & Equatable>(
        _ type: Value.Type,
        _ input: [UInt8],
        isPlain: Bool = true
    ) -> String {
        var decoder = CBORDecoder()
        if !isPlain { decoder.limits.allocationBudget = .max }
        do {
            return "\(try decoder.decode(type, from: input))"
        } catch {
            return "\(error)"
        }
    }
}
