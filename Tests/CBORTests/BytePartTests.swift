import DurableChaos
import Foundation
import Testing

@testable import CBOR

/// Large byte strings beside their CBOR.
@Suite struct BytePartTests {
    private struct Picture: Codable, Hashable {
        var name: String
        var pixels: [UInt8]
        var layers: [[UInt8]]
        var mask: Data?
        var tags: [String: ContiguousArray<UInt8>]
    }

    private static func bytes(_ count: Int, _ seed: UInt8 = 1) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) &+ seed }
    }

    private static let large = BytePart.bytesMin

    private func split<Value: Encodable>(_ value: Value) throws -> (bytes: [UInt8], parts: [BytePart]) {
        var parts: [BytePart] = []
        let bytes = try CBOREncoder().encode(value, detaching: &parts)
        return (bytes, parts)
    }

    /// What is taken out and put back is what there is without that, and decodes to the same.
    private func check<Value: Codable & Equatable>(_ value: Value, parts count: Int) throws {
        let (bytes, parts) = try split(value)
        #expect(parts.count == count)
        #expect(try BytePart.whole(bytes, parts) == CBOREncoder().encode(value))
        #expect(try CBORDecoder().decode(Value.self, from: bytes, parts: parts) == value)
        if count > 0 {
            #expect(throws: (any Error).self) { try CBORDecoder().decode(Value.self, from: bytes) }
            #expect(throws: (any Error).self) {
                try CBORDecoder().decode(Value.self, from: bytes, parts: parts.dropLast())
            }
        }
    }

    @Test func `values with large byte strings come apart and together again`() throws {
        try check(Self.bytes(Self.large), parts: 1)
        try check(Self.bytes(Self.large - 1), parts: 0)
        try check([UInt8](), parts: 0)
        try check(Data(Self.bytes(Self.large)), parts: 1)
        try check(Data(Self.bytes(Self.large - 1)), parts: 0)
        try check([Self.bytes(Self.large), [], Self.bytes(Self.large + 1), [1]], parts: 2)
        try check([1: Self.bytes(Self.large), 0: Self.bytes(Self.large, 3)], parts: 2)
        try check(["b": Self.bytes(Self.large), "a": Self.bytes(Self.large, 3), "": [3]], parts: 2)
        let optional: [UInt8]?? = Self.bytes(Self.large)
        try check([optional, .some(nil), nil], parts: 1)
        let picture = Picture(
            name: "x",
            pixels: Self.bytes(Self.large),
            layers: [Self.bytes(Self.large, 2), [1, 2]],
            mask: Data(Self.bytes(Self.large, 4)),
            tags: ["c": ContiguousArray(Self.bytes(Self.large, 5))]
        )
        try check(picture, parts: 3)
        try check([picture: picture], parts: 6)
    }

    @Test func `sets of large byte strings are in the order of their bytes`() throws {
        let set = Set((0..<20).map { Self.bytes(Self.large, UInt8($0)) })
        let (bytes, parts) = try split(set)
        #expect(parts.count == 20)
        #expect(try BytePart.whole(bytes, parts) == CBOREncoder().encode(set))
        #expect(try CBORDecoder().decode(Set<[UInt8]>.self, from: bytes, parts: parts) == set)
    }

    @Test func `what is beyond the most parts stays where it is`() throws {
        try check((0..<BytePart.countMax + 3).map { Self.bytes(Self.large, UInt8(truncatingIfNeeded: $0)) }, parts: 224)
    }

    @Test func `parts of several items have numbers one behind the other`() throws {
        var parts: [BytePart] = []
        let first = try CBOREncoder().encode(Self.bytes(Self.large), detaching: &parts)
        let second = try CBOREncoder().encode(Self.bytes(Self.large, 9), detaching: &parts)
        #expect(parts.count == 2)
        #expect(try CBORDecoder().decode([UInt8].self, from: first, parts: parts) == Self.bytes(Self.large))
        #expect(try CBORDecoder().decode([UInt8].self, from: second, parts: parts) == Self.bytes(Self.large, 9))
    }

    @Test func `an unkeyed container that goes on behind a large byte string is what it is otherwise`() throws {
        struct Mixed: Encodable {
            var extra: Int
            func encode(to encoder: any Encoder) throws {
                var container = encoder.unkeyedContainer()
                try container.encode(contentsOf: BytePartTests.bytes(BytePart.bytesMin))
                if extra == 1 { try container.encode(UInt8(7)) }
                if extra == 2 { try container.encode(contentsOf: [1, 2, 3]) }
                if extra == 3 { try container.encode("text") }
                if extra == 4 { try container.encode(contentsOf: BytePartTests.bytes(BytePart.bytesMin)) }
                if extra == 5 { _ = container.nestedUnkeyedContainer() }
            }
        }
        for extra in 0...5 {
            let (bytes, parts) = try split(["a": Mixed(extra: extra)])
            #expect(parts.count == (extra == 0 ? 1 : 0))
            #expect(try BytePart.whole(bytes, parts) == CBOREncoder().encode(["a": Mixed(extra: extra)]))
        }
    }

    @Test func `a part is what any reader of byte strings takes it for, and nothing else`() throws {
        let (bytes, parts) = try split(Self.bytes(Self.large))
        let decoder = CBORDecoder()
        #expect(try decoder.decode(CBORValue.self, from: bytes, parts: parts) == .bytes(Self.bytes(Self.large)))
        let numbers = try decoder.decode([Int].self, from: bytes, parts: parts)
        #expect(numbers == Self.bytes(Self.large).map(Int.init))
        #expect(try decoder.decode(Data.self, from: bytes, parts: parts) == Data(Self.bytes(Self.large)))
        #expect(throws: DecodingError.self) { try decoder.decode(Int.self, from: bytes, parts: parts) }
        #expect(throws: DecodingError.self) { try decoder.decode(String.self, from: bytes, parts: parts) }
        #expect(throws: DecodingError.self) { try decoder.decode(Double.self, from: bytes, parts: parts) }
        #expect(throws: DecodingError.self) { try decoder.decode([String: Int].self, from: bytes, parts: parts) }
    }

    @Test func `parts count for the limit of the input`() throws {
        let (bytes, parts) = try split(Self.bytes(Self.large))
        var decoder = CBORDecoder()
        decoder.limits.totalBytesMax = Self.large
        #expect(throws: DecodingError.self) { try decoder.decode([UInt8].self, from: bytes, parts: parts) }
        decoder.limits.totalBytesMax = Self.large + bytes.count
        #expect(try decoder.decode([UInt8].self, from: bytes, parts: parts).count == Self.large)
    }

    @Test func `numbers of parts that are not there, and torn input, are refused`() throws {
        let parts = [BytePart.array([1, 2, 3])]
        for bytes: [UInt8] in [[0xf8], [0xf8, 33], [0xf8, 31], [0xf8, 255], [0x82, 0xf8, 32], [0xf8, 32, 0]] {
            #expect(throws: (any Error).self) { try CBORDecoder().decode([UInt8].self, from: bytes, parts: parts) }
        }
        for bytes: [UInt8] in [[0xf8], [0xf8, 33], [0xf8, 255], [0x44, 0xf8, 32], [0x5b, 255]] {
            #expect(throws: (any Error).self) { try BytePart.whole(bytes, parts) }
        }
        #expect(try BytePart.whole([0x82, 0xf8, 32, 0x42, 0xf8, 33], parts) == [0x82, 0x43, 1, 2, 3, 0x42, 0xf8, 33])
        #expect(try BytePart.whole([0x9f, 0xf8, 32, 0xff], parts) == [0x9f, 0x43, 1, 2, 3, 0xff])
        #expect(try CBORDecoder().decode([[UInt8]].self, from: [0x9f, 0xf8, 32, 0xff], parts: parts) == [[1, 2, 3]])
    }

    @Test func `random input with parts is decoded or refused`() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededGenerator(seed: seed)
        for _ in 0..<20_000 {
            var bytes = (0..<Int.random(in: 1...12, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            let place = Int.random(in: 0..<bytes.count, using: &random)
            bytes.insert(contentsOf: [0xf8, UInt8.random(in: 30...35, using: &random)], at: place)
            let parts = [BytePart.array([1]), .array([2, 3])]
            let value = try? CBORDecoder().decode(CBORValue.self, from: bytes, parts: parts)
            // Whatever was decoded, the whole of it decodes to the same.
            guard let value else { continue }
            #expect(
                try CBORDecoder().decode(CBORValue.self, from: BytePart.whole(bytes, parts)) == value,
                "seed \(seed)"
            )
        }
    }
}
