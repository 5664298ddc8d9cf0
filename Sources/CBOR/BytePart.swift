internal import Glibc

/// A large byte string that lies beside the CBOR that it belongs to, so that nobody copies it on its way.
///
/// In its place the CBOR has a simple value from 32 on, which stands for nothing else: the number of the part. Such CBOR
/// is only good together with its parts; `whole` puts them back.
package enum BytePart: Sendable {
    case array([UInt8])
    case shared(any SharedByteString)

    /// Shorter byte strings stay where they are.
    package static let bytesMin = 32 << 10
    /// The most parts that one item can have.
    package static let countMax = 224
    static let numberMin: UInt8 = 32

    package var count: Int {
        switch self {
        case .array(let bytes): bytes.count
        case .shared(let bytes): bytes.count
        }
    }

    /// The bytes; a copy, if they are shared.
    package func array() throws -> [UInt8] {
        switch self {
        case .array(let bytes): bytes
        case .shared(let bytes): try bytes.withBytes { [UInt8](copyingLarge: $0) }
        }
    }

    package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result {
        switch self {
        case .array(let bytes): try bytes.withUnsafeBytes(body)
        case .shared(let bytes): try bytes.withBytes(body)
        }
    }
}

/// Bytes in memory that processes share.
package protocol SharedByteString: AnyObject, Sendable {
    var count: Int { get }
    /// - Throws: When they cannot be mapped.
    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result
}

extension [UInt8] {
    /// Copies bytes into memory that the kernel may give in large pages: much of what a large copy takes is fresh memory.
    package init(copyingLarge bytes: UnsafeRawBufferPointer) {
        self.init(unsafeUninitializedCapacity: bytes.count) { buffer, count in
            let target = UnsafeMutableRawBufferPointer(buffer)
            target.preferLargePages()
            target.copyMemory(from: bytes)
            count = bytes.count
        }
    }
}

extension UnsafeMutableRawBufferPointer {
    private static var largePagesMin: Int { 4 << 20 }
    private static var pageBytes: Int { Int(getpagesize()) }

    /// Asks the kernel for large pages, if there is enough memory here for these to count. It need not follow.
    package func preferLargePages() {
        guard count >= Self.largePagesMin, let start = baseAddress else { return }
        let offset = Int(UInt(bitPattern: start) % UInt(Self.pageBytes))
        // What it says is of no consequence.
        _ = madvise(start - offset, count + offset, MADV_HUGEPAGE)
    }
}

extension Writer {
    /// Puts a byte string beside the bytes.
    /// - Returns: false, having written nothing, when that is not wanted.
    mutating func detach(_ part: BytePart) -> Bool {
        guard detaches, parts.count < BytePart.countMax else { return false }
        bytes.append(InitialByte.simpleByte)
        bytes.append(BytePart.numberMin + UInt8(parts.count))
        parts.append(part)
        return true
    }

    /// Puts an array beside the bytes, if it is large.
    @inline(never)
    mutating func detach(_ value: [UInt8]) -> Bool {
        value.count >= BytePart.bytesMin && detach(.array(value))
    }

    /// From now on large byte strings are appended to `parts`, which nobody else may use before `endDetaching`.
    mutating func beginDetaching(_ parts: inout [BytePart]) {
        swap(&self.parts, &parts)
        detaches = true
    }

    mutating func endDetaching(_ parts: inout [BytePart]) {
        swap(&self.parts, &parts)
        detaches = false
    }
}

extension Head {
    /// The number of the part that is here, if one is.
    var part: Int? {
        guard major == MajorType.simple, additional == 24, argument >= UInt64(BytePart.numberMin) else { return nil }
        return Int(argument) - Int(BytePart.numberMin)
    }
}

extension BytePart {
    /// Appends an array to the parts, if it is large.
    /// - Returns: the CBOR that stands for it.
    static func detach(_ bytes: [UInt8], to parts: inout [BytePart]) -> [UInt8]? {
        guard bytes.count >= bytesMin, parts.count < countMax else { return nil }
        parts.append(.array(bytes))
        return [InitialByte.simpleByte, numberMin + UInt8(parts.count - 1)]
    }

    /// CBOR with its parts in their places: what the value is without them.
    package static func whole(_ bytes: [UInt8], _ parts: [BytePart]) throws -> [UInt8] {
        guard !parts.isEmpty else { return bytes }
        var whole: [UInt8] = []
        whole.reserveCapacity(bytes.count + parts.reduce(0) { $0 + $1.count + 9 })
        try forEachPiece(of: bytes, parts) { whole.append(contentsOf: $0) }
        return whole
    }

    /// Gives the pieces of what `whole` would be, in order.
    package static func forEachPiece(
        of bytes: [UInt8],
        _ parts: [BytePart],
        _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        try bytes.withUnsafeBufferPointer { try forEachPiece(of: Input($0), parts, body) }
    }

    private static func forEachPiece(
        of bytes: Input,
        _ parts: [BytePart],
        _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        func give(_ range: Range<Int>) throws {
            if !range.isEmpty { try body(UnsafeRawBufferPointer(bytes[range])) }
        }
        var (position, given) = (0, 0)
        while position < bytes.count {
            let head = try Head.read(bytes, at: position)
            if let number = head.part {
                guard number < parts.count else { throw Malformed("part \(number) is missing", at: position) }
                try give(given..<position)
                var start = Memory<UInt8>(capacity: 9)
                start.writeHead(MajorType.bytes, UInt64(parts[number].count))
                try body(UnsafeRawBufferPointer(start.elements))
                try parts[number].withBytes(body)
                given = head.next
            }
            position = head.next
            guard head.major == MajorType.bytes || head.major == MajorType.text, !head.isIndefinite else { continue }
            guard head.argument <= UInt64(bytes.count - position) else {
                throw Malformed("a string of \(head.argument) bytes", at: position)
            }
            position += Int(head.argument)
        }
        try give(given..<bytes.count)
    }
}

extension BytePart {
    /// Encodes a byte string that is in memory of its own, as a part if that is wanted.
    /// - Returns: false, having written nothing, when the encoder is not one of `CBOREncoder`.
    package static func encode(_ bytes: any SharedByteString, to encoder: any Encoder) throws -> Bool {
        guard let node = encoder as? EncoderNode else { return false }
        _ = node.singleValueContainer()
        try node.beginSingleValue()
        if node.output.pointee.detach(.shared(bytes)) { return true }
        try bytes.withBytes { raw in
            raw.withMemoryRebound(to: UInt8.self) { node.output.pointee.bytes.write(byteString: $0) }
        }
        return true
    }

    /// The part that a decoder is at, if it is at one.
    package static func decode(from decoder: any Decoder) throws -> BytePart? {
        guard let node = decoder as? DecoderNode else { return nil }
        return node.session.part(at: node.position)
    }
}

extension DecodingSession {
    /// The part at a position, if one is there.
    func part(at position: Int) -> BytePart? {
        guard hasParts, let number = contentHead(position).part else { return nil }
        // The scanner has seen that there are so many.
        return parts[number]
    }

    /// The bytes of a part; a copy, if they are shared.
    @inline(never)
    func array(ofPart number: Int, _ path: @autoclosure () -> [any CodingKey]) throws -> [UInt8] {
        let part = parts[number]
        if case .shared = part { try charge(part.count, path()) }
        return try part.array()
    }

    /// Foundation's `Data`, if the program has it. It decodes itself byte by byte, which takes long.
    private static let dataType: (any Any.Type)? = _typeByName("20FoundationEssentials4DataV")

    /// A part as Foundation's `Data`, if the type is that.
    @inline(never)
    func data<Value>(
        _ type: Value.Type,
        at position: Int,
        _ path: @autoclosure () -> [any CodingKey]
    ) throws -> Value? {
        guard let part = part(at: position), let data = Self.dataType, data == type,
            let collection = type as? any RangeReplaceableCollection<UInt8>.Type
        else { return nil }
        try charge(part.count, path())
        return try part.withBytes { Self.make(collection, $0) } as? Value
    }

    private static func make<Bytes: RangeReplaceableCollection<UInt8>>(
        _ type: Bytes.Type,
        _ bytes: UnsafeRawBufferPointer
    ) -> Bytes { Bytes(bytes) }
}
