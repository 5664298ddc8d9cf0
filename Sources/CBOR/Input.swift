/// The bytes that are decoded. Positions count from 0, and every access is checked.
struct Input {
    // SAFETY: `count` bytes are there; whoever makes an input keeps them alive and unchanged for as long as it is used.
    private let base: UnsafePointer<UInt8>
    let count: Int

    init(_ buffer: UnsafeBufferPointer<UInt8>) {
        // An empty buffer may have no address, and is never read.
        base = buffer.baseAddress ?? UnsafePointer(bitPattern: 1)!
        count = buffer.count
    }

    /// No bytes at all.
    static var empty: Input { Input(UnsafeBufferPointer(start: nil, count: 0)) }

    @inline(__always)
    subscript(position: Int) -> UInt8 {
        precondition(UInt(bitPattern: position) < UInt(bitPattern: count))
        return base[position]
    }

    @inline(__always)
    subscript(range: Range<Int>) -> UnsafeBufferPointer<UInt8> {
        precondition(range.lowerBound >= 0 && range.upperBound <= count)
        return UnsafeBufferPointer(start: base + range.lowerBound, count: range.count)
    }

    var all: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: base, count: count) }

    /// A number of 1, 2, 4 or 8 bytes, the highest of them first.
    @inline(__always)
    func number(at position: Int, width: Int) -> UInt64 {
        precondition(position >= 0 && width <= count - position)
        let pointer = UnsafeRawPointer(base + position)
        switch width {
        case 1: return UInt64(base[position])
        case 2: return UInt64(UInt16(bigEndian: pointer.loadUnaligned(as: UInt16.self)))
        case 4: return UInt64(UInt32(bigEndian: pointer.loadUnaligned(as: UInt32.self)))
        default: return UInt64(bigEndian: pointer.loadUnaligned(as: UInt64.self))
        }
    }

    /// The first eight bytes of a range as a number, so that numbers compare as the bytes do; zeros stand behind a
    /// shorter one.
    @inline(__always)
    func word(_ range: Range<Int>) -> UInt64 {
        guard range.count < 8, range.lowerBound + 8 <= count else { return self[range].leadingWord }
        return number(at: range.lowerBound, width: 8) & ~(.max >> UInt64(range.count * 8))
    }

    /// A string from bytes that are known to be well-formed UTF-8, because a `Scanner` has accepted them.
    @inline(__always)
    func text(_ range: Range<Int>) -> String { self[range].checkedText }
}

extension UnsafeBufferPointer<UInt8> {
    /// The first eight bytes as a number, so that numbers compare as the bytes do; zeros stand behind fewer bytes.
    @inline(__always)
    var leadingWord: UInt64 {
        guard let baseAddress else { return 0 }
        let pointer = UnsafeRawPointer(baseAddress)
        if count >= 8 { return UInt64(bigEndian: pointer.loadUnaligned(as: UInt64.self)) }
        if count >= 4 {
            // Two halves, which overlap in bytes that are the same.
            let first = UInt64(UInt32(bigEndian: pointer.loadUnaligned(as: UInt32.self)))
            let last = UInt64(UInt32(bigEndian: pointer.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self)))
            return first << 32 | last << UInt64(64 - 8 * count)
        }
        var word: UInt64 = 0
        for offset in 0..<count { word |= UInt64(baseAddress[offset]) << UInt64(56 - 8 * offset) }
        return word
    }

    /// Compares bytewise; negative if this comes first.
    func order(_ other: UnsafeBufferPointer<UInt8>) -> Int {
        for offset in 0..<Swift.min(count, other.count) where self[offset] != other[offset] {
            return self[offset] < other[offset] ? -1 : 1
        }
        return count - other.count
    }

    /// True if all bytes are ASCII.
    @inline(__always)
    var isASCII: Bool {
        guard let baseAddress else { return true }
        let pointer = UnsafeRawPointer(baseAddress)
        var bits: UInt64 = 0
        var offset = 0
        while offset + 8 <= count {
            bits |= pointer.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            offset += 8
        }
        while offset < count {
            bits |= UInt64(self[offset])
            offset += 1
        }
        return bits & 0x8080_8080_8080_8080 == 0
    }

    /// True if the bytes are well-formed UTF-8.
    @inline(__always)
    var isText: Bool { isASCII || isWideText }

    /// The string of bytes for which `isText` is true.
    @inline(__always)
    var checkedText: String { unsafe String(copying: UTF8Span(unchecked: span, isKnownASCII: isASCII)) }

    @inline(never)
    private var isWideText: Bool {
        do {
            _ = try UTF8Span(validating: span)
            return true
        } catch {
            return false
        }
    }
}

/// A copy of bytes that lives as long as this object.
final class InputCopy {
    private let buffer: UnsafeMutableBufferPointer<UInt8>

    init(_ bytes: UnsafeBufferPointer<UInt8>) {
        buffer = .allocate(capacity: bytes.count)
        _ = buffer.initialize(from: bytes)
    }

    deinit { buffer.deallocate() }

    var input: Input { Input(UnsafeBufferPointer(buffer)) }
}
