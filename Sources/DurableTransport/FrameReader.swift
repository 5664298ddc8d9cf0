/// Cuts a stream of bytes into frames, however the bytes are split.
///
/// Memory grows with the bytes that arrived, not with the length that a frame declares.
struct FrameReader {
    /// The most that a length field may declare; checked when the field is complete.
    var frameBytesMax: Int

    private var header: UInt64 = 0
    private var headerCount = 0
    private var payload: [UInt8] = []

    init(frameBytesMax: Int) {
        self.frameBytesMax = frameBytesMax
    }

    /// Whether some, but not all, bytes of a frame have arrived.
    var isInsideFrame: Bool { headerCount > 0 }

    /// Payload bytes that are still missing from the frame under way, if its header is known.
    var missingBytes: Int {
        headerCount == Frame.headerBytes ? declaredPayloadBytes - payload.count : 0
    }

    /// A sentence's end for an error about a stream that stopped here.
    var progress: String {
        guard headerCount == Frame.headerBytes else { return "\(headerCount) of \(Frame.headerBytes) header bytes" }
        return "\(payload.count) of \(declaredPayloadBytes) payload bytes"
    }

    /// Returns the next complete frame of `bytes` from `offset` on and moves `offset` behind it; nil when the bytes
    /// are used up.
    mutating func next(in bytes: UnsafeRawBufferPointer, offset: inout Int) throws(TransportError) -> Frame? {
        while headerCount < Frame.headerBytes {
            guard offset < bytes.count else { return nil }
            header |= UInt64(bytes[offset]) << UInt64(8 * headerCount)
            headerCount += 1
            offset += 1
            if headerCount == 4 { try checkLength() }
        }
        let missing = declaredPayloadBytes - payload.count
        let taken = min(missing, bytes.count - offset)
        let slice = UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + taken)])
        offset += taken
        if taken == missing, payload.isEmpty {
            return finish(with: Array(slice))
        }
        reserve(payload.count + taken)
        payload.append(contentsOf: slice)
        return taken == missing ? finish(with: payload) : nil
    }

    private var declaredPayloadBytes: Int { Int(header & 0xffff_ffff) - 1 }

    private func checkLength() throws(TransportError) {
        let length = Int(header & 0xffff_ffff)
        guard length > 0 else { throw TransportError(.protocolViolation, "the peer sent a frame of length zero") }
        guard length <= frameBytesMax else {
            throw TransportError(
                .frameTooLarge,
                "the peer declared a frame of \(length) bytes; the limit is \(frameBytesMax)"
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
        return frame
    }
}
