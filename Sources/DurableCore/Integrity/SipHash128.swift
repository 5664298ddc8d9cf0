/// SipHash-2-4 with 128 bits of output (Aumasson and Bernstein): names long keys and derived calls in stored rows, so it
/// is the same on every machine and for ever.
package enum SipHash128 {
    /// The hash of these bytes, 16 bytes.
    package static func hash(_ bytes: [UInt8]) -> [UInt8] {
        var state = bytes.withUnsafeBytes { State(of: $0) }
        let words = [state.first(), state.second()]
        return words.flatMap { word in withUnsafeBytes(of: word.littleEndian) { Array($0) } }
    }

    /// The first 8 bytes of the hash of these bytes, as a big-endian number.
    package static func prefix(of bytes: UnsafeRawBufferPointer) -> UInt64 {
        var state = State(of: bytes)
        return state.first().byteSwapped
    }

    private struct State {
        // The key is 00 01 02 … 0f, as in the algorithm's published test vectors.
        private var v0: UInt64 = 0x736f_6d65_7073_6575 ^ 0x0706_0504_0302_0100
        private var v1: UInt64 = 0x646f_7261_6e64_6f6d ^ 0x0f0e_0d0c_0b0a_0908 ^ 0xee
        private var v2: UInt64 = 0x6c79_6765_6e65_7261 ^ 0x0706_0504_0302_0100
        private var v3: UInt64 = 0x7465_6462_7974_6573 ^ 0x0f0e_0d0c_0b0a_0908

        init(of bytes: UnsafeRawBufferPointer) {
            let whole = bytes.count / 8 * 8
            var offset = 0
            while offset < whole {
                compress(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)))
                offset += 8
            }
            var last = UInt64(truncatingIfNeeded: bytes.count) << 56
            for index in whole..<bytes.count { last |= UInt64(bytes[index]) << UInt64((index - whole) * 8) }
            compress(last)
        }

        private mutating func compress(_ word: UInt64) {
            v3 ^= word
            for _ in 0..<2 { round() }
            v0 ^= word
        }

        /// The first half of the hash.
        mutating func first() -> UInt64 {
            v2 ^= 0xee
            for _ in 0..<4 { round() }
            return v0 ^ v1 ^ v2 ^ v3
        }

        /// The second half, after the first.
        mutating func second() -> UInt64 {
            v1 ^= 0xdd
            for _ in 0..<4 { round() }
            return v0 ^ v1 ^ v2 ^ v3
        }

        private mutating func round() {
            v0 &+= v1
            v1 = (v1 << 13 | v1 >> 51) ^ v0
            v0 = v0 << 32 | v0 >> 32
            v2 &+= v3
            v3 = (v3 << 16 | v3 >> 48) ^ v2
            v0 &+= v3
            v3 = (v3 << 21 | v3 >> 43) ^ v0
            v2 &+= v1
            v1 = (v1 << 17 | v1 >> 47) ^ v2
            v2 = v2 << 32 | v2 >> 32
        }
    }
}
