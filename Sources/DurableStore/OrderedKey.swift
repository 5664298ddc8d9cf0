internal import DurableCore
@_spi(_Unicode) internal import Swift

/// The key of a collection's entry as bytes whose order is that of the keys.
///
/// The encoding is that of FoundationDB's tuple layer: every element carries its type and its own end, so that a key
/// of several parts sorts by the first, then by the second. Integers of all widths share one encoding; strings are
/// equal when Swift says so, because they are normalised; the parts of a struct count in the order in which it encodes
/// them; an enum's cases sort by name.
package enum OrderedKey {
    /// Encodes a key. One that is too long for LMDB is cut and ends with a hash of the whole; the entry itself holds
    /// the whole key, which is compared.
    /// - Throws: `EncodingError` for dictionaries and sets, which have no order, and for coders that use super encoders.
    package static func encode(_ key: some Encodable) throws -> [UInt8] {
        let sink = OrderedKeySink()
        try sink.append(key, nested: false)
        // A row key of the greatest length is a cut one; no other gets it.
        guard sink.bytes.count >= ShardLayout.entryKeyBytesMax else { return sink.bytes }
        return Array(sink.bytes.prefix(ShardLayout.entryKeyBytesMax - 16)) + SipHash128.hash(sink.bytes)
    }

    /// Whether the key was cut, so that the entry's own key must be compared.
    package static func isCut(_ key: [UInt8]) -> Bool { key.count == ShardLayout.entryKeyBytesMax }
}

/// Collects the elements of one key.
final class OrderedKeySink {
    private(set) var bytes: [UInt8] = []

    private enum Code {
        static let null: UInt8 = 0x00
        static let bytes: UInt8 = 0x01
        static let text: UInt8 = 0x02
        static let list: UInt8 = 0x05
        static let zero: UInt8 = 0x14
        static let longNegative: UInt8 = 0x0b
        static let longPositive: UInt8 = 0x1d
        static let float: UInt8 = 0x20
        static let double: UInt8 = 0x21
        static let no: UInt8 = 0x26
        static let yes: UInt8 = 0x27
        static let escape: UInt8 = 0xff
    }

    /// Encodes a value of any type.
    func append(_ value: some Encodable, nested: Bool) throws {
        switch value {
        case let value as String: append(value)
        case let value as [UInt8]: append(raw: value, Code.bytes)
        case is any UnorderedKey:
            throw EncodingError.invalidValue(
                value,
                .init(codingPath: [], debugDescription: "\(type(of: value)) has no order and cannot be part of a key")
            )
        default:
            let encoder = OrderedKeyEncoder(sink: self, nested: nested)
            try value.encode(to: encoder)
            if encoder.isList.value { bytes.append(Code.null) }
        }
    }

    func beginList() { bytes.append(Code.list) }

    /// The end of a list is a null byte, so that a null inside of one is escaped.
    func appendNil(nested: Bool) { bytes += nested ? [Code.null, Code.escape] : [Code.null] }

    func append(_ value: Bool) { bytes.append(value ? Code.yes : Code.no) }

    func append(_ value: String) {
        if value.utf8.allSatisfy({ $0 < 0x80 }) {
            append(raw: value.utf8, Code.text)
        } else {
            var normal = String.UnicodeScalarView()
            for scalar in value._nfc { normal.append(scalar) }
            append(raw: String(normal).utf8, Code.text)
        }
    }

    func append(_ value: Double) {
        append(Code.double, ordered: (value.isNaN ? .nan : value == 0 ? 0 : value).bitPattern)
    }

    func append(_ value: Float) {
        append(Code.float, ordered: (value.isNaN ? .nan : value == 0 ? 0 : value).bitPattern)
    }

    func append<Value: FixedWidthInteger>(_ value: Value) {
        guard value != 0 else { return bytes.append(Code.zero) }
        let isNegative = value < 0
        let digits = value.magnitude
        let width = digits.bitWidth - digits.leadingZeroBitCount
        let count = (width + 7) / 8
        if count <= 8 {
            bytes.append(isNegative ? Code.zero - UInt8(count) : Code.zero + UInt8(count))
        } else {
            bytes += isNegative ? [Code.longNegative, ~UInt8(count)] : [Code.longPositive, UInt8(count)]
        }
        for index in (0..<count).reversed() {
            let byte = UInt8(truncatingIfNeeded: digits >> (index * 8))
            bytes.append(isNegative ? ~byte : byte)
        }
    }

    private func append<Bits: FixedWidthInteger>(_ code: UInt8, ordered bits: Bits) {
        let sign = Bits(1) << (Bits.bitWidth - 1)
        let ordered = bits & sign == 0 ? bits ^ sign : ~bits
        bytes.append(code)
        withUnsafeBytes(of: ordered.bigEndian) { bytes += $0 }
    }

    private func append(raw: some Sequence<UInt8>, _ code: UInt8) {
        bytes.append(code)
        for byte in raw {
            bytes.append(byte)
            if byte == Code.null { bytes.append(Code.escape) }
        }
        bytes.append(Code.null)
    }
}

/// What has no order of its own.
protocol UnorderedKey {}
extension Dictionary: UnorderedKey {}
extension Set: UnorderedKey {}
