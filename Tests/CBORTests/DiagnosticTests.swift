import CBOR
import DurableChaos
import Foundation
import Testing

@Suite struct DiagnosticTests {
    func json(_ value: CBORValue, pretty: Bool = false) throws -> String {
        try CBORDiagnostic.json(CBOREncoder().encode(value), pretty: pretty)
    }

    @Test func `Plain items are plain JSON`() throws {
        #expect(
            try json(["a": [1, -2, 1.5, true, nil], "b": [:], "c": []]) == #"{"a":[1,-2,1.5,true,null],"b":{},"c":[]}"#
        )
        #expect(try json(.unsigned(.max)) == "18446744073709551615")
        #expect(try json(.negative(.max)) == "-18446744073709551616")
        #expect(try json("a\"b\\\n\t\r\u{1}\u{7f}\u{fc}") == #""a\"b\\\n\t\r\u0001\u007fü""#)
    }

    @Test func `No text makes a terminal do something that the JSON is printed on`() throws {
        let text = try json("\u{1b}[2J\u{9b}31m\u{85}\u{202e}\u{2028}\u{2066}\u{0}é\u{a0}🙂")
        #expect(text == #""\u001b[2J\u009b31m\u0085\u202e\u2028\u2066\u0000é"# + "\u{a0}🙂\"")
        #expect(try json(["\u{9b}": 1]) == #"{"\u009b":1}"#)
    }

    @Test func `What JSON lacks has its stand-in`() throws {
        #expect(try json(.bytes([0x0a, 0xff])) == #"{"$bytes":"0aff"}"#)
        #expect(try json([.float(.nan), .float(.infinity), .float(-.infinity)]) == #"["NaN","Infinity","-Infinity"]"#)
        #expect(try json(.undefined) == #"{"$simple":"undefined"}"#)
        #expect(try json(.tagged(1, 5)) == #"{"$tag":1,"value":5}"#)
        #expect(try json(CBORValue(UInt128.max)) == "340282366920938463463374607431768211455")
        #expect(try json(CBORValue(Int128.min)) == "-170141183460469231731687303715884105728")
        #expect(
            try json(.tagged(3, .bytes([UInt8](repeating: 255, count: 16))))
                == "-340282366920938463463374607431768211456"
        )
        #expect(try json(.tagged(2, .bytes([UInt8](repeating: 1, count: 17)))).hasPrefix(#"{"$tag":2,"#))
    }

    @Test func `Keys that are not text are shown as text, each once`() throws {
        #expect(try json([5: 1, "5": 2, [1, 2]: 3, nil: 4]) == ##"{"5#2":1,"5":2,"[1,2]":3,"null":4}"##)
        #expect(try json([.bytes([1]): 1]) == #"{"{\"$bytes\":\"01\"}":1}"#)
    }

    @Test func `Pretty output is indented`() throws {
        #expect(
            try json(["a": [1, 2], "b": []], pretty: true) == "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": []\n}"
        )
    }

    @Test func `The output is always valid JSON`() throws {
        var values = RandomValues(generator: SeededGenerator(seed: testSeed &+ 3))
        for round in 0..<200 {
            let item = values.item(depth: 4)
            for pretty in [true, false] {
                let text = try json(item, pretty: pretty)
                #expect(throws: Never.self, "seed \(testSeed), round \(round): \(text)") {
                    try JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed)
                }
            }
        }
    }

    @Test func `Bytes that are not valid are refused`() {
        #expect(throws: DecodingError.self) { try CBORDiagnostic.json([0xff]) }
        #expect(throws: DecodingError.self) { try CBORDiagnostic.json([]) }
    }

    /// Escaped at each level, 406 bytes became a gigabyte.
    @Test func keysInsideOfKeysAreShownByTheirBytes() throws {
        #expect(try json([[5: 1]: 2]) == ##"{"{\"$cbor 05\":1}":2}"##)
        for depth in [2, 60] {
            let bytes = Array(repeating: UInt8(0xa1), count: depth) + [5] + Array(repeating: 1, count: depth)
            #expect(try CBORDiagnostic.json(bytes).utf8.count < 40 + 4 * depth)
        }
    }
}
