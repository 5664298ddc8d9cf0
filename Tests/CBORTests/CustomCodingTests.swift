import CBOR
import Foundation
import Testing

/// A key made from any text.
struct Name: CodingKey, ExpressibleByStringLiteral {
    var stringValue: String
    var intValue: Int? { nil }

    init(stringLiteral value: String) { stringValue = value }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}

/// Encodes itself with a closure.
struct Custom: Encodable {
    var body: (any Encoder) throws -> Void

    func encode(to encoder: any Encoder) throws { try body(encoder) }
}

class Animal: Codable {
    var name: String
    init(name: String) { self.name = name }
}

final class Dog: Animal {
    var tricks: [String]

    init(name: String, tricks: [String]) {
        self.tricks = tricks
        super.init(name: name)
    }

    required init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Name.self)
        tricks = try container.decode([String].self, forKey: "tricks")
        try super.init(from: container.superDecoder())
    }

    override func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Name.self)
        try super.encode(to: container.superEncoder())
        try container.encode(tricks, forKey: "tricks")
    }
}

/// Shares its map with its superclass.
final class Cat: Animal {
    var lives = 9

    init(lives: Int) {
        self.lives = lives
        super.init(name: "cat")
    }

    required init(from decoder: any Decoder) throws {
        lives = try decoder.container(keyedBy: Name.self).decode(Int.self, forKey: "lives")
        try super.init(from: decoder)
    }

    override func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Name.self)
        try container.encode(lives, forKey: "lives")
        try super.encode(to: encoder)
    }
}

@Suite struct CustomCodingTests {
    func value(_ body: @escaping (any Encoder) throws -> Void) throws -> CBORValue {
        try CBORDecoder().decode(CBORValue.self, from: CBOREncoder().encode(Custom(body: body)))
    }

    @Test func `Classes keep the part of their superclass under super`() throws {
        let dog = Dog(name: "Rex", tricks: ["sit", "roll"])
        let copy = try roundTripped(dog)
        #expect(copy.name == "Rex" && copy.tricks == ["sit", "roll"])
        let item = try CBORDecoder().decode(CBORValue.self, from: CBOREncoder().encode(dog))
        #expect(item == ["super": ["name": "Rex"], "tricks": ["sit", "roll"]])
        #expect(throws: DecodingError.self) { try decoded(Dog.self, "a166747269636b7380") }
    }

    @Test func `A superclass may share the map of its subclass`() throws {
        let copy = try roundTripped(Cat(lives: 7))
        #expect(copy.lives == 7 && copy.name == "cat")
    }

    @Test func `Nested containers may be written in turns`() throws {
        let item = try value { encoder in
            var root = encoder.container(keyedBy: Name.self)
            var list = root.nestedUnkeyedContainer(forKey: "list")
            var map = root.nestedContainer(keyedBy: Name.self, forKey: "map")
            try list.encode(1)
            try map.encode("b", forKey: "zz")
            try root.encode(true, forKey: "flag")
            try list.encode("two")
            var deep = map.nestedContainer(keyedBy: Name.self, forKey: "deep")
            var deeper = deep.nestedUnkeyedContainer(forKey: "deeper")
            try map.encode("a", forKey: "a")
            try deeper.encode(UInt8(7))
            try deep.encode(0.5, forKey: "half")
            try root.encode([1, 2], forKey: "after")
            try deeper.encode(UInt8(8))
            try list.encode(3)
        }
        #expect(
            item == [
                "list": [1, "two", 3], "flag": true, "after": [1, 2],
                "map": ["zz": "b", "a": "a", "deep": ["half": 0.5, "deeper": .bytes([7, 8])]],
            ]
        )
    }

    @Test func `Nested containers of arrays keep their places`() throws {
        let item = try value { encoder in
            var root = encoder.unkeyedContainer()
            try root.encode(UInt8(9))
            var first = root.nestedUnkeyedContainer()
            var second = root.nestedContainer(keyedBy: Name.self)
            let third = root.superEncoder()
            try root.encode("end")
            try first.encode(1)
            try second.encode(2, forKey: "two")
            try 3.encode(to: third)
            var last = root.nestedUnkeyedContainer()
            try last.encode(nilArray)
            try last.encodeNil()
            #expect(root.count == 6)
        }
        #expect(item == [9, [1], ["two": 2], 3, "end", [[nil, 1], nil]])
    }

    @Test func `Containers that were moved aside move again with their parents`() throws {
        let item = try value { encoder in
            var root = encoder.container(keyedBy: Name.self)
            try root.encode("some bytes in front", forKey: "first")
            var map = root.nestedContainer(keyedBy: Name.self, forKey: "map")
            try map.encode(0, forKey: "zero")
            var inMap = map.nestedUnkeyedContainer(forKey: "in map")
            try map.encode(1, forKey: "one")
            var list = map.nestedUnkeyedContainer(forKey: "list")
            try list.encode("element")
            var inList = list.nestedContainer(keyedBy: Name.self)
            try list.encode("last")
            try root.encode(true, forKey: "end")
            try inMap.encode(2)
            try inList.encode(3, forKey: "three")
        }
        #expect(
            item == [
                "first": "some bytes in front", "end": true,
                "map": ["zero": 0, "one": 1, "in map": [2], "list": ["element", ["three": 3], "last"]],
            ]
        )
    }

    @Test func `Containers moved aside inside generic values come back in place`() throws {
        let item = try value { encoder in
            var root = encoder.container(keyedBy: Name.self)
            for name in ["x", "y"] {
                let inner = Custom { encoder in
                    var map = encoder.container(keyedBy: Name.self)
                    var early = map.nestedContainer(keyedBy: Name.self, forKey: "early")
                    try map.encode(name, forKey: "name")
                    try early.encode([name: 1], forKey: "late")
                }
                try root.encode(inner, forKey: Name(stringLiteral: name))
            }
            var nested = root.nestedUnkeyedContainer(forKey: "n")
            try nested.encode(Custom { _ in })
            try nested.encode([String: Int]())
        }
        let inner = { (name: String) -> CBORValue in
            ["name": .text(name), "early": ["late": .map([.init(.text(name), 1)])]]
        }
        #expect(item == ["x": inner("x"), "y": inner("y"), "n": [[:], [:]]])
    }

    @Test func `Nested containers are read by key and by place`() throws {
        struct Reader: Decodable {
            var texts: [String] = []

            init(from decoder: any Decoder) throws {
                let root = try decoder.container(keyedBy: Name.self)
                texts.append("\(root.allKeys.map(\.stringValue))")
                texts.append("\(root.contains("list")) \(root.contains("nope")) \(try root.decodeNil(forKey: "nil"))")
                var list = try root.nestedUnkeyedContainer(forKey: "list")
                texts.append("\(list.count ?? -1)")
                var first = try list.nestedUnkeyedContainer()
                texts.append("\(try first.decode(Int.self)) \(first.isAtEnd)")
                let second = try list.nestedContainer(keyedBy: Name.self)
                texts.append("\(try second.decode(Int.self, forKey: "two"))")
                texts.append("\(try list.decodeNil()) \(try list.decodeNil()) \(list.currentIndex)")
                texts.append(try String(from: list.superDecoder()))
                texts.append("\(list.isAtEnd)")
                let map = try root.nestedContainer(keyedBy: Name.self, forKey: "map")
                texts.append(
                    "\(map.codingPath.map(\.stringValue)) \(try map.decodeIfPresent(Int.self, forKey: "q") ?? 0)"
                )
                texts.append("\(try String(from: root.superDecoder(forKey: "s")))")
                #expect(throws: DecodingError.self) { try list.decode(Int.self) }
                #expect(throws: DecodingError.self) { try list.decodeNil() }
                #expect(throws: DecodingError.self) { try root.nestedUnkeyedContainer(forKey: "map") }
            }
        }
        let item: CBORValue = ["list": [[1], ["two": 2], nil, "end"], "map": ["q": 5], "nil": nil, "s": "super"]
        let texts = try CBORDecoder().decode(Reader.self, from: CBOREncoder().encode(item)).texts
        #expect(
            texts == [
                #"["s", "map", "nil", "list"]"#, "true false true", "4", "1 true", "2", "true false 3", "end", "true",
                #"["map"] 5"#, "super",
            ]
        )
    }

    @Test func `A value that throws leaves its container as it was`() throws {
        struct Refused: Error {}
        let item = try value { encoder in
            var root = encoder.container(keyedBy: Name.self)
            try root.encode(1, forKey: "kept")
            let failing = Custom { encoder in
                var map = encoder.container(keyedBy: Name.self)
                try map.encode(1, forKey: "lost")
                var list = map.nestedUnkeyedContainer(forKey: "list")
                try list.encode("lost")
                throw Refused()
            }
            #expect(throws: Refused.self) { try root.encode(failing, forKey: "failing") }
            var list = root.nestedUnkeyedContainer(forKey: "list")
            #expect(throws: Refused.self) { try list.encode(failing) }
            try list.encode(2)
        }
        #expect(item == ["kept": 1, "list": [2]])
    }

    @Test func `Misused containers throw and never crash`() {
        let misuses: [(any Encoder) throws -> Void] = [
            { encoder in
                _ = encoder.container(keyedBy: Name.self)
                _ = encoder.unkeyedContainer()
            },
            { encoder in
                var list = encoder.unkeyedContainer()
                try list.encode(1)
                var map = encoder.container(keyedBy: Name.self)
                try map.encode(1, forKey: "a")
            },
            { encoder in
                var single = encoder.singleValueContainer()
                try single.encode(1)
                try single.encode(2)
            },
            { encoder in
                var list = encoder.unkeyedContainer()
                var copy = list
                try list.encode(Custom { _ in try copy.encode(1) })
            },
            { encoder in
                var list = encoder.unkeyedContainer()
                var inner = list.nestedUnkeyedContainer()
                try inner.encode(Custom { _ in try list.encode(1) })
            },
        ]
        for misuse in misuses {
            #expect(throws: EncodingError.self) { try CBOREncoder().encode([Custom(body: misuse)]) }
        }
    }

    @Test func `A container kept after its value has ended refuses to write`() throws {
        final class Box {
            var container: KeyedEncodingContainer<Name>?
        }
        let box = Box()
        let item = try value { encoder in
            var list = encoder.unkeyedContainer()
            try list.encode(Custom { box.container = $0.container(keyedBy: Name.self) })
            #expect(throws: EncodingError.self) { try box.container?.encode(1, forKey: "late") }
            try list.encode(
                Custom {
                    var map = $0.container(keyedBy: Name.self); try map.encode(1, forKey: "a")
                }
            )
            #expect(throws: EncodingError.self) { try box.container?.encode(1, forKey: "late") }
        }
        #expect(item == [[:], ["a": 1]])
        #expect(throws: EncodingError.self) { try box.container?.encode(1, forKey: "late") }
    }

    @Test func `The last of two values with one key stays`() throws {
        let item = try value { encoder in
            var root = encoder.container(keyedBy: Name.self)
            try root.encode(1, forKey: "a")
            var nested = root.nestedUnkeyedContainer(forKey: "b")
            try nested.encode(1)
            try root.encode("later", forKey: "b")
            try root.encode(2, forKey: "a")
        }
        #expect(item == ["a": 2, "b": "later"])
    }

    @Test func `Items inside Codable types are kept as they are`() throws {
        struct Envelope: Codable, Equatable {
            var body: CBORValue
            var maybe: CBORValue?
            var wrapped: Wrapper<CBORValue>
        }
        let body: CBORValue = [1: .tagged(99, [nil, .undefined]), [2]: .bytes([1])]
        let envelope = Envelope(body: body, maybe: nil, wrapped: Wrapper(.undefined))
        #expect(try roundTripped(envelope) == envelope)
        let item = try value { try CBORValue.text("direct").encode(to: $0) }
        #expect(item == "direct")
        #expect(throws: EncodingError.self) { try JSONEncoder().encode(envelope) }
        #expect(throws: DecodingError.self) { try JSONDecoder().decode(CBORValue.self, from: Data("1".utf8)) }
    }
}

private let nilArray: [Int?] = [nil, 1]
