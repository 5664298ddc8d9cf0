import CBOR
import Foundation
import Testing

/// A type that may be as deep as its input.
final class Chain: Codable {
    var next: Chain?

    init(next: Chain?) { self.next = next }
}

struct Nest: Codable {
    var inner: [Nest]

    init(inner: [Nest]) { self.inner = inner }

    init(from decoder: any Decoder) throws { inner = try decoder.singleValueContainer().decode([Nest].self) }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(inner)
    }
}

@Suite struct HostileInputTests {
    @Test(arguments: [
        "", "18", "19ff", "1a", "1b00000000000000", "1c", "1d", "1e", "1f", "3f", "df", "ff", "fc", "fd", "fe", "5f",
        "5f00ff", "5f6161ff", "5f5f4100ffff", "7f4161ff", "7f61", "9f", "9f01", "bf", "bf01ff", "bf6161", "81ff",
        "a1ff00", "a100", "8201", "c2", "d9d9f7", "f8", "f97e", "fa000000", "fb", "0000", "a0a0", "61c3", "62c328",
        "63eda080", "64f4908080", "62c080", "7f61c361bcff", "a201010101", "a261610161" + "6101",
        "a2fb3ff80000000000000" + "0f93e0001",
        "a2810100810101", "bf0100010" + "1ff", "a118010018" + "01", "a20100180100", "a218180019001800",
        "a219010000" + "1a0000010000",
        "a21a0001000000" + "1b000000000001000000", "a261610079000161" + "00", "a27f6161ff0061" + "6100",
    ])
    func `Input that is not one valid item is refused`(_ text: String) {
        #expect(isCorrupted(CBORValue.self, text))
        #expect(isCorrupted([Int].self, text))
    }

    @Test(arguments: ["5b", "7b", "9b", "bb"])
    func `Counts beyond the input are refused before anything is reserved`(_ head: String) {
        for count in [
            "7fffffffffffffff", "ffffffffffffffff", "8000000000000000", "0000000100000000", "0000000000000005",
        ] {
            #expect(isCorrupted(CBORValue.self, head + count))
            #expect(isCorrupted([Int].self, head + count + "00"))
            #expect(isCorrupted([UInt8].self, head + count + "00"))
            #expect(isCorrupted([String: Int].self, "81" + head + count + "0000"))
        }
    }

    @Test(arguments: ["81", "9f", "a100", "bf00", "c1", "d9d9f7", "a1"])
    func `Ten thousand levels are refused`(_ level: String) {
        let text = String(repeating: level, count: 10_000) + "00"
        #expect(isCorrupted(CBORValue.self, text))
        #expect(isCorrupted(Nest.self, text))
        #expect(isCorrupted(Int.self, text))
    }

    @Test func `The depth limit is exact and can be changed`() throws {
        let nested = { (depth: Int) in String(repeating: "81", count: depth - 1) + "80" }
        #expect(throws: Never.self) { try decoded(CBORValue.self, nested(64)) }
        #expect(throws: Never.self) { try decoded(Nest.self, nested(64)) }
        #expect(isCorrupted(CBORValue.self, nested(65)))
        var decoder = CBORDecoder()
        decoder.limits.depthMax = 3
        #expect(throws: Never.self) { try decoder.decode(Nest.self, from: bytes(hex: nested(3))) }
        #expect(throws: DecodingError.self) { try decoder.decode(Nest.self, from: bytes(hex: nested(4))) }
        decoder.limits.depthMax = .max
        #expect(throws: Never.self) { try decoder.decode(CBORValue.self, from: bytes(hex: nested(512))) }
        #expect(throws: DecodingError.self) { try decoder.decode(CBORValue.self, from: bytes(hex: nested(513))) }
        decoder.limits.depthMax = .min
        #expect(throws: Never.self) { try decoder.decode(CBORValue.self, from: bytes(hex: nested(1))) }
    }

    @Test func `What the encoder accepts as depth, the decoder accepts too`() throws {
        var value = CBORValue.array([])
        var nest = Nest(inner: [])
        for _ in 1..<64 {
            value = [value]
            nest = Nest(inner: [nest])
        }
        #expect(try roundTripped(value) == value)
        #expect(throws: Never.self) { try roundTripped(nest) }
        #expect(throws: EncodingError.self) { try CBOREncoder().encode([value]) }
        #expect(throws: EncodingError.self) { try CBOREncoder().encode([nest]) }
        var chain = Chain(next: nil)
        for _ in 1..<64 { chain = Chain(next: chain) }
        #expect(throws: Never.self) { try roundTripped(chain) }
        #expect(throws: EncodingError.self) { try CBOREncoder().encode(Chain(next: chain)) }
        #expect(try roundTripped(CBORValue.array([.tagged(2, .bytes([1]))])) == [.tagged(2, .bytes([1]))])
    }

    @Test func `A cycle of objects is refused by the encoder`() {
        let chain = Chain(next: nil)
        chain.next = chain
        #expect(throws: EncodingError.self) { try CBOREncoder().encode(chain) }
        chain.next = nil
    }

    @Test func `A type that nests its containers without end is refused by the encoder`() {
        let endless = Custom { encoder in
            var list = encoder.unkeyedContainer()
            for _ in 0..<10_000 { list = list.nestedUnkeyedContainer() as any UnkeyedEncodingContainer }
        }
        #expect(throws: EncodingError.self) { try CBOREncoder().encode(endless) }
    }

    @Test func `A type that decodes itself without end is refused`() {
        struct Endless: Decodable {
            init(from decoder: any Decoder) throws { self = try decoder.singleValueContainer().decode(Endless.self) }
        }
        #expect(isCorrupted(Endless.self, "00"))
    }

    @Test func `Inputs cut at any byte are refused`() throws {
        let value = Outer(
            name: "name",
            count: 1 << 40,
            inner: Inner(z: [1, 300], a: ["x": true]),
            list: [Inner(z: [], a: ["long key, longer than others": false])],
            maybe: nil,
            absent: nil,
            flag: true,
            shape: .group([.circle(radius: 1.1), .point], name: "\u{fc}")
        )
        let whole = try CBOREncoder().encode(value)
        for end in 0..<whole.count {
            #expect(throws: DecodingError.self) { try CBORDecoder().decode(Outer.self, from: whole[..<end]) }
            #expect(throws: DecodingError.self) { try CBORDecoder().decode(CBORValue.self, from: whole[..<end]) }
        }
        #expect(throws: DecodingError.self) { try CBORDecoder().decode(Outer.self, from: whole + [0]) }
    }

    @Test func `Input beyond the length limit is refused`() throws {
        var decoder = CBORDecoder()
        decoder.limits.totalBytesMax = 4
        #expect(try decoder.decode([UInt8].self, from: [0x43, 1, 2, 3]) == [1, 2, 3])
        #expect(throws: DecodingError.self) { try decoder.decode([UInt8].self, from: [0x44, 1, 2, 3, 4]) }
    }

    @Test func `Decoding stops when the allocation budget is used up`() throws {
        var decoder = CBORDecoder()
        decoder.limits.allocationBudget = 100
        let text = try CBOREncoder().encode(String(repeating: "x", count: 101))
        let texts = try CBOREncoder().encode([String](repeating: String(repeating: "x", count: 30), count: 4))
        let numbers = try CBOREncoder().encode([Int](repeating: 0, count: 100))
        let map = try CBOREncoder().encode(["a": 1, "b": 2, "c": 3, "d": 4])
        let unsorted = bytes(hex: "a7" + (0..<7).reversed().map { "0\($0)00" }.joined())
        #expect(throws: DecodingError.self) { try decoder.decode(String.self, from: text) }
        #expect(throws: DecodingError.self) { try decoder.decode([String].self, from: texts) }
        #expect(throws: DecodingError.self) { try decoder.decode(CBORValue.self, from: numbers) }
        #expect(throws: DecodingError.self) { try decoder.decode([String: Int].self, from: map) }
        #expect(throws: DecodingError.self) { try decoder.decode(CBORValue.self, from: unsorted) }
        #expect(try decoder.decode([Int].self, from: numbers).count == 100)
        decoder.limits.allocationBudget = -1
        #expect(throws: DecodingError.self) { try decoder.decode(String.self, from: [0x60]) }
        #expect(try decoder.decode(Int.self, from: [0x05]) == 5)
    }

    @Test func `The default budget fits the most expensive trees`() throws {
        let numbers = CBORValue.array([CBORValue](repeating: 0, count: 200_000))
        #expect(try roundTripped(numbers) == numbers)
        let empties = CBORValue.array([CBORValue](repeating: ["": 0], count: 100_000))
        #expect(try roundTripped(empties) == empties)
        let map = CBORValue.map((0..<100_000).map { .init(CBORValue($0), nil) })
        #expect(try roundTripped(map) == map)
    }

    @Test func `Maps with many equal or unsorted keys are handled in bounded time`() throws {
        let count = 100_000
        let clock = ContinuousClock()
        let equal = bytes(hex: "ba000186a0") + [UInt8](repeating: 0, count: 2 * count)
        var descending = bytes(hex: "ba000186a0")
        for key in (0..<count).reversed() { descending += try CBOREncoder().encode("key \(key)") + [0] }
        let elapsed = try clock.measure {
            #expect(throws: DecodingError.self) { try CBORDecoder().decode(CBORValue.self, from: equal) }
            let entries = try CBORDecoder().decode([String: Int].self, from: descending)
            #expect(entries.count == count)
        }
        #expect(elapsed < .seconds(60))
    }

    @Test func `Wrong types are refused at every place`() {
        let inputs = [
            "00", "20", "40", "4101", "60", "6161", "80", "8101", "a0", "a1616101", "c101", "f4", "f6", "f7", "f93c00",
        ]
        for text in inputs {
            for type in [Outer.self, Shape.self, [Outer].self, [String: Outer].self] as [any Decodable.Type] {
                guard !(["80", "a0", "40"].contains(text)) else { continue }
                #expect(throws: DecodingError.self) { _ = try decoded(type, text) }
            }
        }
    }
}
