import DurableCore
import Testing

struct IntegrityTests {
    @Test func theChecksumMatchesPublishedVectors() {
        #expect(CRC32C.checksum([]) == 0)
        #expect(CRC32C.checksum("123456789".utf8) == 0xE306_9283)
        #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
        #expect(CRC32C.checksum([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
        #expect(CRC32C.checksum((0..<32).map(UInt8.init)) == 0x46DD_794E)
        #expect(CRC32C.checksum((0..<32).reversed().map(UInt8.init)) == 0x113F_DB5C)
    }

    @Test func theChecksumDoesNotDependOnHowTheBytesLie() {
        let bytes = (0..<100).map { UInt8($0 * 7 & 0xFF) }
        for start in 0..<16 {
            for end in start..<bytes.count {
                let part = bytes[start..<end]
                // Bit by bit, as the definition has it.
                var crc: UInt32 = ~0
                for byte in part {
                    crc ^= UInt32(byte)
                    for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0x82F6_3B78 : crc >> 1 }
                }
                #expect(CRC32C.checksum(part) == ~crc)
                #expect(CRC32C.checksum(part.lazy.map(\.self)) == ~crc)
                #expect(part.withUnsafeBytes { CRC32C.checksumByTable($0) } == ~crc)
                let middle = (start + end) / 2
                #expect(CRC32C.checksum(bytes[middle..<end], after: CRC32C.checksum(bytes[start..<middle])) == ~crc)
            }
        }
    }

    @Test(arguments: [0, 1, 7, 8, 40]) func aValueComesBackAsItWasSealed(count: Int) throws {
        let payload = (0..<count).map { UInt8($0) }
        let (opened, schema) = try StoredValue.open(StoredValue.seal(payload, schemaVersion: 0xDEAD_BEEF))
        #expect(Array(opened) == payload)
        #expect(schema == 0xDEAD_BEEF)
    }

    @Test(arguments: [0, 1, 7, 8, 40]) func anyFlippedBitIsFound(count: Int) {
        let value = StoredValue.seal((0..<count).map { UInt8($0) }, schemaVersion: 5)
        for bit in 0..<(value.count * 8) {
            var damaged = value
            damaged[bit / 8] ^= 1 << (bit % 8)
            #expect(throws: MalformedBytes.self, "bit \(bit)") { try StoredValue.open(damaged) }
        }
    }

    @Test func aFlippedBitIsFoundAnywhereInALargeValue() {
        let value = StoredValue.seal([UInt8](repeating: 7, count: 300_000))
        for place in Array(stride(from: 0, to: value.count, by: 4099)) + [value.count - 1] {
            var damaged = value
            damaged[place] ^= 1
            #expect(throws: MalformedBytes.self, "byte \(place)") { try StoredValue.open(damaged) }
        }
    }

    @Test func tornLengthenedAndForeignValuesAreRefused() {
        let value = StoredValue.seal(Array("payload".utf8))
        for count in 0..<value.count {
            #expect(throws: MalformedBytes.self) { try StoredValue.open(Array(value.prefix(count))) }
        }
        #expect(throws: MalformedBytes.self) { try StoredValue.open(value + [0]) }
        #expect(throws: MalformedBytes.self) { try StoredValue.open([2] + value.dropFirst()) }
        #expect(throws: MalformedBytes.self) { try StoredValue.open([UInt8](repeating: 0, count: 64)) }
    }

    @Test func theRefusalOfANewerKindNamesIt() {
        let error = #expect(throws: MalformedBytes.self) {
            try StoredValue.open([9] + StoredValue.seal([1]).dropFirst())
        }
        #expect(error?.description == "value is of kind 9, which this build does not know")
    }
}
