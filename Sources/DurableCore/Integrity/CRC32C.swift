internal import CChecksum

#if SEEDED_BUGS
internal import SeededBugs
#endif

/// CRC-32C (Castagnoli), the checksum of every stored value; by the processor's instruction where there is one.
package enum CRC32C {
    private static let hasInstruction = checksum_has_instruction() != 0

    /// The checksum of these bytes, or of more bytes of which the checksum of the first ones is known.
    package static func checksum(_ bytes: UnsafeRawBufferPointer, after before: UInt32 = 0) -> UInt32 {
        #if SEEDED_BUGS
        let bytes =
            SeededBug.checksumOfBeginning.isActive ? UnsafeRawBufferPointer(rebasing: bytes.prefix(4096)) : bytes
        #endif
        guard hasInstruction else { return checksumByTable(bytes, after: before) }
        return ~checksum_extend(~before, bytes.baseAddress, bytes.count)
    }

    /// The same without the instruction, eight bytes a step.
    package static func checksumByTable(_ bytes: UnsafeRawBufferPointer, after before: UInt32 = 0) -> UInt32 {
        tables.withUnsafeBufferPointer { table in
            var crc = ~before
            var offset = 0
            while offset + 8 <= bytes.count {
                let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
                let low = UInt32(truncatingIfNeeded: word) ^ crc
                let high = UInt32(truncatingIfNeeded: word >> 32)
                crc =
                    table[7 * 256 + Int(low & 0xff)] ^ table[6 * 256 + Int(low >> 8 & 0xff)]
                    ^ table[5 * 256 + Int(low >> 16 & 0xff)] ^ table[4 * 256 + Int(low >> 24)]
                    ^ table[3 * 256 + Int(high & 0xff)] ^ table[2 * 256 + Int(high >> 8 & 0xff)]
                    ^ table[256 + Int(high >> 16 & 0xff)] ^ table[Int(high >> 24)]
                offset += 8
            }
            while offset < bytes.count {
                crc = table[Int((crc ^ UInt32(bytes[offset])) & 0xff)] ^ crc >> 8
                offset += 1
            }
            return ~crc
        }
    }

    /// The checksum of these bytes, or of more bytes of which the checksum of the first ones is known.
    package static func checksum(_ bytes: some Sequence<UInt8>, after before: UInt32 = 0) -> UInt32 {
        bytes.withContiguousStorageIfAvailable { checksum(UnsafeRawBufferPointer($0), after: before) }
            ?? Array(bytes).withUnsafeBytes { checksum($0, after: before) }
    }

    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for index in 0..<256 {
            var crc = UInt32(index)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0x82f6_3b78 : crc >> 1 }
            tables[index] = crc
        }
        for index in 0..<256 {
            for slice in 1..<8 {
                let previous = tables[(slice - 1) * 256 + index]
                tables[slice * 256 + index] = tables[Int(previous & 0xff)] ^ previous >> 8
            }
        }
        return tables
    }()
}
