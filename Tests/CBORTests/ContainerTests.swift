import CBOR
import Testing

enum Shape: Codable, Equatable {
    case point
    case circle(radius: Double)
    case rectangle(Int, height: Int?)
    indirect case group([Shape], name: String)
}

enum Suit: String, Codable, CodingKeyRepresentable { case hearts, spades }

struct Identifier: Codable, Hashable {
    var high: UInt64
    var low: UInt64
}

struct Inner: Codable, Equatable {
    var z: [Int]
    var a: [String: Bool]
}

struct Outer: Codable, Equatable {
    var name: String
    var count: Int
    var inner: Inner
    var list: [Inner]
    var maybe: Inner?
    var absent: Inner?
    var flag: Bool
    var shape: Shape
}

struct Nothing: Codable, Equatable {}

struct Wrapper<Wrapped: Codable & Equatable & Sendable>: Codable, Equatable {
    var wrapped: Wrapped

    init(_ wrapped: Wrapped) {
        self.wrapped = wrapped
    }

    init(from decoder: any Decoder) throws {
        wrapped = try decoder.singleValueContainer().decode(Wrapped.self)
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(wrapped)
    }
}

@Suite struct ContainerTests {
    func check<Value: Codable & Equatable>(_ value: Value, _ location: SourceLocation = #_sourceLocation) throws {
        #expect(try roundTripped(value) == value, sourceLocation: location)
        #expect(try roundTripped([value, value]) == [value, value], sourceLocation: location)
        #expect(try roundTripped(["key": value]) == ["key": value], sourceLocation: location)
        #expect(try roundTripped(Optional(value)) == value, sourceLocation: location)
    }

    @Test func `Structs, lists, optionals and enums round-trip`() throws {
        let inner = Inner(z: [1, -2, 300], a: ["x": true, "": false])
        try check(inner)
        for shape in [Shape.point, .circle(radius: 0.5), .rectangle(1, height: nil), .rectangle(1, height: 2)] {
            try check(shape)
            try check(
                Outer(
                    name: "n",
                    count: 1 << 40,
                    inner: inner,
                    list: [inner, inner],
                    maybe: inner,
                    absent: nil,
                    flag: true,
                    shape: .group([shape, .point], name: "g")
                )
            )
        }
        try check(Nothing())
        try check(Wrapper(5))
        try check(Wrapper(Wrapper("deep")))
        try check(Wrapper(inner))
        #expect(try roundTripped(Wrapper<Int?>(nil)) == Wrapper(nil))
        try check([[[1], []], []])
        try check(1..<5)
        try check([nil, 1, nil])
    }

    @Test func `Maps have property names in deterministic order`() throws {
        struct Sample: Encodable {
            var bb = 1
            var a = 2
            var aa = 3
            var none: Int?
        }
        #expect(try encoded(Sample()) == "a36161026261610362626201")
        #expect(try encoded(Shape.rectangle(1, height: 2)) == "a16972656374616e676c65a2625f300166686569676874" + "02")
        #expect(try encoded(Nothing()) == "a0")
    }

    @Test func `Maps and arrays of every size keep all entries`() throws {
        for count in [0, 1, 23, 24, 31, 32, 33, 255, 256, 257, 2000, 70_000] {
            let dictionary = Dictionary(uniqueKeysWithValues: (0..<count).map { ("k\($0 &* 7919 % 1_000_003)", $0) })
            #expect(try roundTripped(dictionary) == dictionary)
            #expect(try CBOREncoder().encode(dictionary) == CBOREncoder().encode(roundTripped(dictionary)))
            let array = Array(0..<count)
            #expect(try roundTripped(array) == array)
        }
    }

    @Test func `Dictionaries round-trip whatever their keys are`() throws {
        try check(["5": "text", "05": "text", "-1": "x", "abc": "y", "9223372036854775808": "z"])
        try check([5: "a", -1: "b", 0: "c", Int.max: "d", Int.min: "e", 24: "f", -25: "g"])
        try check([Suit.hearts: 1, .spades: 2])
        try check([Identifier(high: 1, low: 2): "x", Identifier(high: .max, low: 0): "y"])
        try check([1.5: "x", -2: "y"])
        try check([true: "x"])
        try check([UInt16(7): "x"])
        try check([String: Int]())
        try check([Int: Int]())
        try check(["k": [5: ["k": [5: 1]]]])
        try check(Dictionary(uniqueKeysWithValues: (-500..<500).map { ($0, String($0)) }))
    }

    @Test func `Only dictionaries of integers have integer keys`() throws {
        #expect(try encoded([5: true]) == "a105f5")
        #expect(try encoded([-1: true]) == "a120f5")
        #expect(try encoded(["5": true]) == "a16135f5")
        #expect(try encoded([Suit.hearts: true]) == "a1666865617274" + "73f5")
        #expect(try decoded([Int: Bool].self, "a16135f5") == [5: true])
        #expect(try decoded([String: Bool].self, "a105f5") == ["5": true])
        #expect(isMismatch([Int: Bool].self, "a16161f5"))
    }

    @Test func `Missing, null, unknown and repeated keys behave as Codable expects`() throws {
        struct Sample: Codable, Equatable {
            var a: Int
            var b: String?
        }
        #expect(try decoded(Sample.self, "a1616101") == Sample(a: 1, b: nil))
        #expect(try decoded(Sample.self, "a26161016162f6") == Sample(a: 1, b: nil))
        #expect(try decoded(Sample.self, "a26161016162f7") == Sample(a: 1, b: nil))
        #expect(try decoded(Sample.self, "a461610161626178617a8201a06568656c6c6f05") == Sample(a: 1, b: "x"))
        #expect(try decoded(Sample.self, "bf6568656c6c6f9fff61626178616101ff") == Sample(a: 1, b: "x"))
        #expect(throws: DecodingError.self) { try decoded(Sample.self, "a0") }
        #expect(throws: DecodingError.self) { try decoded(Sample.self, "a16161f6") }
        #expect(isCorrupted(Sample.self, "a2616101616102"))
        #expect(try decoded(Sample.self, "a3616101f50282010203") == Sample(a: 1, b: nil))
    }

    @Test func `Errors carry the path to the value`() {
        #expect(decodingPath([String: [Int]].self, "a1616b8201f5") == ["k", "Index 1"])
        #expect(decodingPath([Inner].self, "82a26161a0617a80a26161a161780a617a80") == ["Index 1", "a", "x"])
        #expect(decodingPath([Inner].self, "81a0") == ["Index 0"])
        #expect(decodingPath([Int: [Int]].self, "a1058161" + "61") == ["5", "Index 0"])
        #expect(decodingPath(Int.self, "6161") == [])
    }

    @Test func `Encoders and decoders pass on their user info`() throws {
        struct Sample: Codable {
            static let key = CodingUserInfoKey(rawValue: "k")
            init() {}
            func encode(to encoder: any Encoder) throws {
                var container = encoder.singleValueContainer()
                try container.encode(Self.key.flatMap { encoder.userInfo[$0] as? String } ?? "none")
            }
            init(from decoder: any Decoder) throws {
                let text = try decoder.singleValueContainer().decode(String.self)
                let info = Self.key.flatMap { decoder.userInfo[$0] as? String }
                guard text == "sent", info == "received" else {
                    throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: text))
                }
            }
        }
        var encoder = CBOREncoder()
        var decoder = CBORDecoder()
        encoder.userInfo[try #require(Sample.key)] = "sent"
        decoder.userInfo[try #require(Sample.key)] = "received"
        #expect(try decoder.decode([Sample].self, from: encoder.encode([Sample()])).count == 1)
    }

    @Test func `A slice is decoded in place and bytes can be appended to a buffer`() throws {
        var buffer: [UInt8] = [0xff, 0xff]
        try CBOREncoder().encode(["b": 1, "a": 2], appendingTo: &buffer)
        let end = buffer.count
        buffer += [0xff]
        #expect(try CBORDecoder().decode([String: Int].self, from: buffer[2..<end]) == ["a": 2, "b": 1])
        #expect(throws: EncodingError.self) {
            try CBOREncoder().encode(CBORValue.map([.init(1, 1), .init(1, 2)]), appendingTo: &buffer)
        }
        #expect(buffer.count == end + 1 && buffer.last == 0xff)
    }
}
