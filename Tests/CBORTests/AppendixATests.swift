import CBOR
import Testing

/// One example of RFC 8949, appendix A.
struct Example: Sendable, CustomTestStringConvertible {
    var hex: String
    var value: CBORValue
    /// What encoding the value gives, if that is not the example itself.
    var deterministic: String?

    var testDescription: String { hex }

    init(_ hex: String, _ value: CBORValue, deterministic: String? = nil) {
        self.hex = hex
        self.value = value
        self.deterministic = deterministic
    }
}

@Suite struct AppendixATests {
    static let integers: [Example] = [
        Example("00", 0), Example("01", 1), Example("0a", 10), Example("17", 23), Example("1818", 24),
        Example("1819", 25), Example("1864", 100), Example("1903e8", 1000), Example("1a000f4240", 1_000_000),
        Example("1b000000e8d4a51000", 1_000_000_000_000), Example("1bffffffffffffffff", .unsigned(.max)),
        Example("c249010000000000000000", .tagged(2, .bytes([1, 0, 0, 0, 0, 0, 0, 0, 0]))),
        Example("3bffffffffffffffff", .negative(.max)),
        Example("c349010000000000000000", .tagged(3, .bytes([1, 0, 0, 0, 0, 0, 0, 0, 0]))),
        Example("20", -1), Example("29", -10), Example("3863", -100), Example("3903e7", -1000),
    ]

    static let floats: [Example] = [
        Example("f90000", 0.0), Example("f98000", .float(-0.0)), Example("f93c00", 1.0),
        Example("fb3ff199999999999a", 1.1), Example("f93e00", 1.5), Example("f97bff", 65504.0),
        Example("fa47c35000", 100000.0), Example("fa7f7fffff", 3.4028234663852886e+38),
        Example("fb7e37e43c8800759c", 1.0e+300), Example("f90001", 5.960464477539063e-8),
        Example("f90400", 0.00006103515625), Example("f9c400", -4.0), Example("fbc010666666666666", -4.1),
        Example("f97c00", .float(.infinity)), Example("f97e00", .float(.nan)), Example("f9fc00", .float(-.infinity)),
        Example("fa7f800000", .float(.infinity), deterministic: "f97c00"),
        Example("fa7fc00000", .float(.nan), deterministic: "f97e00"),
        Example("faff800000", .float(-.infinity), deterministic: "f9fc00"),
        Example("fb7ff0000000000000", .float(.infinity), deterministic: "f97c00"),
        Example("fb7ff8000000000000", .float(.nan), deterministic: "f97e00"),
        Example("fbfff0000000000000", .float(-.infinity), deterministic: "f9fc00"),
    ]

    static let simpleTagsAndStrings: [Example] = [
        Example("f4", false), Example("f5", true), Example("f6", nil), Example("f7", .undefined),
        Example("c074323031332d30332d32315432303a30343a30305a", .tagged(0, "2013-03-21T20:04:00Z")),
        Example("c11a514b67b0", .tagged(1, 1_363_896_240)),
        Example("c1fb41d452d9ec200000", .tagged(1, 1363896240.5)),
        Example("d74401020304", .tagged(23, .bytes([1, 2, 3, 4]))),
        Example("d818456449455446", .tagged(24, .bytes([0x64, 0x49, 0x45, 0x54, 0x46]))),
        Example("d82076687474703a2f2f7777772e6578616d706c652e636f6d", .tagged(32, "http://www.example.com")),
        Example("40", .bytes([])), Example("4401020304", .bytes([1, 2, 3, 4])), Example("60", ""),
        Example("6161", "a"), Example("6449455446", "IETF"), Example("62225c", "\"\\"), Example("62c3bc", "\u{fc}"),
        Example("63e6b0b4", "\u{6c34}"), Example("64f0908591", "\u{10151}"),
    ]

    static let oneToTwentyFive = CBORValue.array((1...25).map { CBORValue($0) })
    static let letters: CBORValue = ["a": "A", "b": "B", "c": "C", "d": "D", "e": "E"]

    static let containers: [Example] = [
        Example("80", []), Example("83010203", [1, 2, 3]), Example("8301820203820405", [1, [2, 3], [4, 5]]),
        Example("98190102030405060708090a0b0c0d0e0f101112131415161718181819", oneToTwentyFive),
        Example("a0", [:]), Example("a201020304", [1: 2, 3: 4]),
        Example("a26161016162820203", ["a": 1, "b": [2, 3]]), Example("826161a161626163", ["a", ["b": "c"]]),
        Example("a56161614161626142616361436164614461656145", letters),
    ]

    static let indefinite: [Example] = [
        Example("5f42010243030405ff", .bytes([1, 2, 3, 4, 5]), deterministic: "450102030405"),
        Example("7f657374726561646d696e67ff", "streaming", deterministic: "6973747265616d696e67"),
        Example("9fff", [], deterministic: "80"),
        Example("9f018202039f0405ffff", [1, [2, 3], [4, 5]], deterministic: "8301820203820405"),
        Example("9f01820203820405ff", [1, [2, 3], [4, 5]], deterministic: "8301820203820405"),
        Example("83018202039f0405ff", [1, [2, 3], [4, 5]], deterministic: "8301820203820405"),
        Example("83019f0203ff820405", [1, [2, 3], [4, 5]], deterministic: "8301820203820405"),
        Example(
            "9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff",
            oneToTwentyFive,
            deterministic: "98190102030405060708090a0b0c0d0e0f101112131415161718181819"
        ),
        Example("bf61610161629f0203ffff", ["a": 1, "b": [2, 3]], deterministic: "a26161016162820203"),
        Example("826161bf61626163ff", ["a", ["b": "c"]], deterministic: "826161a161626163"),
        Example("bf6346756ef563416d7421ff", ["Fun": true, "Amt": -2], deterministic: "a263416d74216346756ef5"),
    ]

    static let all = integers + floats + simpleTagsAndStrings + containers + indefinite

    @Test(arguments: all)
    func `Every example decodes to its value`(_ example: Example) throws {
        #expect(try decoded(CBORValue.self, example.hex) == example.value)
    }

    @Test(arguments: all)
    func `Every example's value encodes to its deterministic form`(_ example: Example) throws {
        #expect(try encoded(example.value) == example.deterministic ?? example.hex)
    }

    @Test(arguments: ["f0", "f818", "f8ff", "e0", "f81f"])
    func `Simple values without a meaning are refused`(_ text: String) {
        #expect(isCorrupted(CBORValue.self, text))
    }

    @Test func `Integers of the examples decode to Swift integers and back`() throws {
        #expect(try decoded(UInt64.self, "1bffffffffffffffff") == .max)
        #expect(try decoded(Int128.self, "c249010000000000000000") == 18_446_744_073_709_551_616)
        #expect(try decoded(Int128.self, "3bffffffffffffffff") == -18_446_744_073_709_551_616)
        #expect(try decoded(Int128.self, "c349010000000000000000") == -18_446_744_073_709_551_617)
        #expect(try encoded(Int128(-18_446_744_073_709_551_617)) == "c349010000000000000000")
        #expect(try encoded(UInt128(18_446_744_073_709_551_616)) == "c249010000000000000000")
        #expect(try encoded(Int128(-18_446_744_073_709_551_616)) == "3bffffffffffffffff")
    }
}
