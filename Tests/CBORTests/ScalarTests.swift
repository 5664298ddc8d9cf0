import CBOR
import DurableChaos
import Foundation
import Testing

@Suite struct ScalarTests {
    func extremes<Value: FixedWidthInteger & Codable>(_ type: Value.Type) throws {
        let candidates: [Value] = [
            .min, .max, 0, 1, 23, 24, Value.max / 2, Value.min / 2, ~0, Value(truncatingIfNeeded: UInt64.max),
            Value(truncatingIfNeeded: 255), Value(truncatingIfNeeded: 256), Value(truncatingIfNeeded: 65535),
            Value(truncatingIfNeeded: 65536), Value(truncatingIfNeeded: UInt32.max),
        ]
        for value in candidates {
            #expect(try roundTripped(value) == value)
            #expect(try roundTripped([value, value]) == [value, value])
            #expect(try roundTripped(["k": value]) == ["k": value])
            #expect(try roundTripped(Optional(value)) == value)
        }
    }

    @Test func `Integers of every width round-trip at their extremes`() throws {
        try extremes(Int.self)
        try extremes(Int8.self)
        try extremes(Int16.self)
        try extremes(Int32.self)
        try extremes(Int64.self)
        try extremes(Int128.self)
        try extremes(UInt.self)
        try extremes(UInt8.self)
        try extremes(UInt16.self)
        try extremes(UInt32.self)
        try extremes(UInt64.self)
        try extremes(UInt128.self)
    }

    @Test func `Integers that do not fit are refused, never truncated`() {
        #expect(isCorrupted(Int8.self, "1880"))
        #expect(isCorrupted(Int8.self, "3880"))
        #expect(isCorrupted(UInt8.self, "190100"))
        #expect(isCorrupted(UInt.self, "20"))
        #expect(isCorrupted(Int.self, "1bffffffffffffffff"))
        #expect(isCorrupted(Int64.self, "3bffffffffffffffff"))
        #expect(isCorrupted(Int64.self, "c249010000000000000000"))
        #expect(isCorrupted(Int128.self, "c250ffffffffffffffffffffffffffffffff"))
        #expect(isCorrupted(Int128.self, "c350ffffffffffffffffffffffffffffffff"))
        #expect(isCorrupted(UInt128.self, "c25101ffffffffffffffffffffffffffffffff"))
    }

    @Test func `Bignums with leading zeros or small values decode as the integers they are`() throws {
        #expect(try decoded(Int.self, "c24105") == 5)
        #expect(try decoded(Int.self, "c3430000ff") == -256)
        #expect(try decoded(UInt8.self, "c240") == 0)
        #expect(try decoded(UInt128.self, "c251" + "00" + String(repeating: "ff", count: 16)) == .max)
        #expect(try decoded(Int128.self, "c3507fffffffffffffffffffffffffffffff") == .min)
    }

    @Test func `Longer heads than needed are read`() throws {
        #expect(try decoded(Int.self, "1b0000000000000005") == 5)
        #expect(try decoded(String.self, "7a0000000161") == "a")
        #expect(try decoded([Int].self, "9a0000000101") == [1])
        #expect(try decoded([String: Int].self, "b900017a000000016105") == ["a": 5])
    }

    @Test func `Floats take the shortest form that keeps them`() throws {
        #expect(try encoded(1.5) == "f93e00")
        #expect(try encoded(Float(1.5)) == "f93e00")
        #expect(try encoded(Float(0.1)) == "fa3dcccccd")
        #expect(try encoded(0.1) == "fb3fb999999999999a")
        #expect(try encoded(Double.nan) == "f97e00")
        #expect(try encoded(-Double.nan) == "f97e00")
        #expect(try encoded(Float.signalingNaN) == "f97e00")
        #expect(try encoded(-0.0) == "f98000")
        #expect(try encoded(Double.leastNonzeroMagnitude) == "fb0000000000000001")
        #expect(try encoded(65505.0) == "fa477fe100")
    }

    @Test func `All half-precision values survive and stay short`() throws {
        for bits in UInt16.min...UInt16.max where bits & 0x7c00 != 0x7c00 || bits & 0x3ff == 0 {
            let input: [UInt8] = [0xf9, UInt8(bits >> 8), UInt8(bits & 0xff)]
            let value = try CBORDecoder().decode(Double.self, from: input)
            #expect(value == Double(Float16(bitPattern: bits)))
            #expect(try CBOREncoder().encode(value) == input)
        }
    }

    @Test func `Floats of any bits round-trip`() throws {
        var generator = SeededGenerator(seed: testSeed)
        for _ in 0..<5000 {
            let double = Double(bitPattern: generator.next())
            let single = Float(bitPattern: UInt32(truncatingIfNeeded: generator.next()))
            #expect(try roundTripped(double).bitPattern == double.bitPattern || double.isNaN, "seed \(testSeed)")
            #expect(try roundTripped(single).bitPattern == single.bitPattern || single.isNaN, "seed \(testSeed)")
            #expect(try roundTripped([double])[0].isNaN == double.isNaN)
        }
    }

    @Test func `Integers read as floats only if exact, and floats never as integers`() throws {
        #expect(try decoded(Double.self, "05") == 5)
        #expect(try decoded(Double.self, "3903e7") == -1000)
        #expect(isCorrupted(Double.self, "1b0020000000000001"))
        #expect(isCorrupted(Float.self, "fb7e37e43c8800759c"))
        #expect(try decoded(Float.self, "fb3fb999999999999a") == 0.1)
        #expect(isMismatch(Int.self, "f94500"))
    }

    @Test func `Text of every shape round-trips`() throws {
        let long = String(repeating: "\u{fc}\u{10151}x", count: 30_000)
        for text in ["", "a", "fifteen bytes..", "sixteen bytes...", "\u{0}", "\u{1F468}\u{200D}\u{1F469}", long] {
            #expect(try roundTripped(text) == text)
            #expect(try roundTripped([text: text]) == [text: text])
        }
    }

    @Test func `Types from Foundation round-trip`() throws {
        let date = Date(timeIntervalSinceReferenceDate: 700_000_000.25)
        #expect(try roundTripped(date) == date)
        #expect(try encoded(date) == encoded(700_000_000.25))
        let id = UUID()
        #expect(try roundTripped(id) == id)
        let url = try #require(URL(string: "https://example.com/a?b=c"))
        #expect(try roundTripped(url) == url)
        let number = try #require(Decimal(string: "123456789.000000001"))
        #expect(try roundTripped(number) == number)
        #expect(try roundTripped(IndexSet([1, 5, 6])) == IndexSet([1, 5, 6]))
    }

    @Test func `Tags are passed over to their content`() throws {
        #expect(try decoded(String.self, "c074323031332d30332d32315432303a30343a30305a") == "2013-03-21T20:04:00Z")
        #expect(try decoded(Double.self, "c1fb41d452d9ec200000") == 1363896240.5)
        #expect(try decoded(Int.self, "d9d9f7d8641864") == 100)
        #expect(try decoded([String: [Bool]].self, "d864a1d8646161d86481d864f5") == [:])
        #expect(try decoded([String: [Bool]].self, "d864a16161d86481d864f5") == ["a": [true]])
        #expect(try decoded(Int?.self, "d864f6") == nil)
    }
}

@Suite struct ByteStringTests {
    struct Blob: Codable, Equatable {
        var data: Data
        var bytes: [UInt8]
        var more: ContiguousArray<UInt8>
        var maybe: [UInt8]?
    }

    @Test func `Arrays of bytes are byte strings by their static type`() throws {
        #expect(try encoded([UInt8]([1, 2, 3])) == "43010203")
        #expect(try encoded([UInt8]()) == "40")
        #expect(try encoded(ContiguousArray<UInt8>([1, 2])) == "420102")
        #expect(try encoded([[UInt8]]([[1], []])) == "82410140")
        #expect(try encoded([Int8]([1, 2])) == "820102")
        #expect(try encoded(Optional([UInt8]([7]))) == "4107")
    }

    @Test func `Data is a byte string, except that empty data is an empty array`() throws {
        #expect(try encoded(Data([1, 2, 3])) == "43010203")
        #expect(try encoded(Data()) == "80")
        #expect(try decoded(Data.self, "80") == Data())
        #expect(try decoded(Data.self, "40") == Data())
        #expect(try decoded(Data.self, "43010203") == Data([1, 2, 3]))
        #expect(try decoded(Data.self, "8301021818") == Data([1, 2, 24]))
        let large = Data((0..<70_000).map { UInt8(truncatingIfNeeded: $0) })
        #expect(try roundTripped(large) == large)
        #expect(hex(try CBOREncoder().encode(large).prefix(5)) == "5a00011170")
    }

    @Test func `Byte strings round-trip as properties`() throws {
        let blob = Blob(data: Data([255, 24, 0]), bytes: [], more: [9], maybe: nil)
        #expect(try roundTripped(blob) == blob)
        let full = Blob(data: Data(), bytes: Array(0...255), more: [], maybe: [1])
        #expect(try roundTripped(full) == full)
    }

    @Test func `Byte strings and arrays of integers stand for each other`() throws {
        #expect(try decoded([UInt8].self, "8301021818") == [1, 2, 24])
        #expect(try decoded([UInt8].self, "5f4201024103ff") == [1, 2, 3])
        #expect(try decoded([Int].self, "43010218") == [1, 2, 24])
        #expect(try decoded([Int?].self, "420102") == [1, 2])
        #expect(try decoded([Double].self, "420102") == [1, 2])
        #expect(try decoded(Set<UInt8>.self, "420102") == [1, 2])
        #expect(decodingPath([UInt8].self, "8201190100") == ["Index 1"])
        #expect(isMismatch([String].self, "420102"))
        #expect(isMismatch([UInt8].self, "6161"))
    }

    /// Writes bytes and then something else into one array.
    struct Mixed: Encodable {
        var bytes: [UInt8]

        func encode(to encoder: any Encoder) throws {
            var container = encoder.unkeyedContainer()
            for byte in bytes { try container.encode(byte) }
            try container.encode("end")
            try container.encode(UInt8(200))
            #expect(container.count == bytes.count + 2)
        }
    }

    @Test func `An array that only starts with bytes is an array`() throws {
        #expect(try encoded(Mixed(bytes: [1, 24, 255])) == "8501181818ff63656e6418c8")
        #expect(try encoded(Mixed(bytes: [])) == "8263656e6418c8")
    }

    @Test func `Sets and dictionaries of bytes round-trip`() throws {
        #expect(try roundTripped(Set<UInt8>([1, 2, 250])) == [1, 2, 250])
        #expect(try roundTripped([UInt8(3): UInt8(4), 250: 251]) == [3: 4, 250: 251])
    }
}
