internal import CDurable

/// Cuts a stream of bytes into frames, however the bytes are split.
///
/// Memory grows with the bytes that arrived, not with the length that a frame declares. For a large part of a frame there
/// are addresses for all that it declares.
struct FrameReader {
    /// The most that a length field may declare; checked when the field is complete.
    var frameBytesMax: Int
    /// The same for a part of a frame.
    var partBytesMax = 0

    private var header: UInt64 = 0
    private var headerCount = 0
    private var payload: [UInt8] = []
    /// How many bytes of the payload have arrived. That of a large part has its whole length at once: memory that
    /// nothing was read into yet is not there.
    private var filled = 0

    init(frameBytesMax: Int) {
        self.frameBytesMax = frameBytesMax
    }

    /// Whether some, but not all, bytes of a frame have arrived.
    var isInsideFrame: Bool { headerCount > 0 }

    /// Payload bytes that are still missing from the frame under way, if its header is known.
    var missingBytes: Int {
        headerCount == Frame.headerBytes ? declaredPayloadBytes - filled : 0
    }

    /// A sentence's end for an error about a stream that stopped here.
    var progress: String {
        guard headerCount == Frame.headerBytes else { return "\(headerCount) of \(Frame.headerBytes) header bytes" }
        return "\(filled) of \(declaredPayloadBytes) payload bytes"
    }

    /// Returns the next complete frame of `bytes` from `offset` on and moves `offset` behind it; nil when the bytes
    /// are used up.
    mutating func next(in bytes: UnsafeRawBufferPointer, offset: inout Int) throws(TransportError) -> Frame? {
        while headerCount < Frame.headerBytes {
            guard offset < bytes.count else { return nil }
            header |= UInt64(bytes[offset]) << UInt64(8 * headerCount)
            headerCount += 1
            offset += 1
            if headerCount == 4 { try checkLength(limit: max(frameBytesMax, partBytesMax)) }
            if headerCount == Frame.headerBytes { try beginPayload() }
        }
        let missing = missingBytes
        let taken = min(missing, bytes.count - offset)
        let slice = UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + taken)])
        offset += taken
        if taken == missing, payload.isEmpty {
            return finish(with: Array(slice))
        }
        if isInPlace {
            payload.withUnsafeMutableBytes { $0[filled...].copyBytes(from: slice) }
        } else {
            reserve(filled + taken)
            payload.append(contentsOf: slice)
        }
        filled += taken
        return taken == missing ? finish(with: payload) : nil
    }

    /// Reads bytes of a large part to where they stay; they count when `next` is called.
    /// - Parameter read: Returns how many there were, or nothing more than zero.
    /// - Returns: What `read` returned; nil, without a call, when no such part is under way.
    mutating func readPart(_ read: (UnsafeMutableRawBufferPointer) -> Int64) -> Int64? {
        guard isInPlace, missingBytes >= FrameReader.partReadMin else { return nil }
        let count = payload.withUnsafeMutableBytes { read(UnsafeMutableRawBufferPointer(rebasing: $0[filled...])) }
        filled += Int(max(0, count))
        return count
    }

    /// Parts of at least this size get all their memory at once.
    private static let placedPartBytesMin = 16 << 10
    /// Less than this is read together with what follows it.
    private static let partReadMin = 4 << 10

    private var isPart: Bool { UInt8(truncatingIfNeeded: header >> 32) == Frame.partKind && partBytesMax > 0 }

    private var isInPlace: Bool { !payload.isEmpty && payload.count == declaredPayloadBytes && isPart }

    private mutating func beginPayload() throws(TransportError) {
        guard isPart else { return try checkLength(limit: frameBytesMax) }
        try checkLength(limit: partBytesMax)
        guard declaredPayloadBytes >= FrameReader.placedPartBytesMin else { return }
        payload = [UInt8](unsafeUninitializedCapacity: declaredPayloadBytes) { buffer, count in
            let memory = UnsafeMutableRawBufferPointer(buffer)
            durable_prefer_large_pages(memory.baseAddress, memory.count)
            // SAFETY: a byte of any value is one; nobody gets the payload before all of it was written.
            count = memory.count
        }
    }

    private var declaredPayloadBytes: Int { Int(header & 0xffff_ffff) - 1 }

    private func checkLength(limit: Int) throws(TransportError) {
        let length = Int(header & 0xffff_ffff)
        guard length > 0 else { throw TransportError(.protocolViolation, "the peer sent a frame of length zero") }
        guard length <= limit else {
            throw TransportError(
                .frameTooLarge,
                "the peer declared a frame of \(length) bytes; the limit is \(limit)"
            )
        }
    }

    /// Doubles, so that assembling is linear, but never beyond the declared size.
    private mutating func reserve(_ needed: Int) {
        guard needed > payload.capacity else { return }
        payload.reserveCapacity(min(declaredPayloadBytes, max(needed, 2 * payload.capacity)))
    }

    private mutating func finish(with bytes: [UInt8]) -> Frame {
        let frame = Frame(kind: UInt8(truncatingIfNeeded: header >> 32), payload: bytes)
        header = 0
        headerCount = 0
        payload = []
        filled = 0
        return frame
    }
}
