/// 128 bits that name something for ever: an actor, a session, a driver.
package protocol Identifier128: Hashable, Sendable, Codable, CustomStringConvertible, Comparable {
    /// The upper 64 bits.
    var high: UInt64 { get }
    /// The lower 64 bits.
    var low: UInt64 { get }
    /// Makes the identifier of these bits.
    init(high: UInt64, low: UInt64)
}

extension Identifier128 {
    /// A new identifier from a source of randomness.
    package init(random generator: inout some RandomNumberGenerator) {
        self.init(high: generator.next(), low: generator.next())
    }

    /// The identifier's 16 bytes, big-endian, as they stand in keys.
    package var bytes: [UInt8] {
        var writer = ByteWriter()
        writer.writeBigEndian(high)
        writer.writeBigEndian(low)
        return writer.bytes
    }

    /// Reads the 16 bytes that `bytes` wrote; `nil` for any other length.
    package init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 16 else { return nil }
        var high: UInt64 = 0
        var low: UInt64 = 0
        for (position, byte) in bytes.enumerated() {
            if position < 8 { high = high << 8 | UInt64(byte) } else { low = low << 8 | UInt64(byte) }
        }
        self.init(high: high, low: low)
    }

    /// Reads 32 hexadecimal digits, the form of `description`; `nil` for anything else.
    package init?(hexadecimal text: some StringProtocol) {
        guard text.utf8.count == 32, text.allSatisfy(\.isHexDigit),
            let high = UInt64(text.prefix(16), radix: 16),
            let low = UInt64(text.suffix(16), radix: 16)
        else { return nil }
        self.init(high: high, low: low)
    }

    var hexadecimal: String {
        func digits(_ value: UInt64) -> String {
            let text = String(value, radix: 16)
            return String(repeating: "0", count: 16 - text.count) + text
        }
        return digits(high) + digits(low)
    }

    static func isOrdered(_ left: Self, _ right: Self) -> Bool {
        left.high != right.high ? left.high < right.high : left.low < right.low
    }
}
