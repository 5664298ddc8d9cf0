internal import CBOR
internal import DurableCore
internal import DurableTransport

/// The large byte strings of arguments or of a result, between the codec, which takes them out of the CBOR, and the
/// connection, which carries them beside it.
final class DetachedParts: Sendable {
    let parts: [BytePart]

    init(_ parts: [BytePart]) { self.parts = parts }
}

extension DetachedBytes {
    /// `nil` when there are none.
    init?(_ parts: [BytePart]) {
        guard !parts.isEmpty else { return nil }
        self.init(DetachedParts(parts), byteCount: parts.reduce(0) { $0 + $1.count })
    }

    var parts: [BytePart] { (holder as? DetachedParts)?.parts ?? [] }
}

extension SharedSegment: SharedByteString {}

extension Frame {
    init(_ call: CallFrame) {
        self.init(kind: FrameKind.call, payload: call.encoded(), parts: Self.parts(call.detached))
    }

    init(_ reply: ReplyFrame) {
        self.init(kind: FrameKind.reply, payload: reply.encoded(), parts: Self.parts(reply.outcome.detached))
    }

    init(_ answer: ObjectAnswer) {
        self.init(kind: FrameKind.contents, payload: answer.encoded(), parts: Self.parts(answer.outcome?.detached))
    }

    private static func parts(_ detached: DetachedBytes?) -> [FramePart] {
        guard let detached else { return [] }
        return detached.parts.compactMap { part in
            switch part {
            case .array(let bytes): .array(bytes)
            case .shared(let bytes): (bytes as? SharedSegment).map { .segment($0) }
            }
        }
    }

    /// What came beside the payload.
    var detached: DetachedBytes? {
        guard !parts.isEmpty else { return nil }
        return DetachedBytes(
            parts.map { part in
                switch part {
                case .array(let bytes): .array(bytes)
                case .segment(let segment): .shared(segment)
                }
            }
        )
    }
}

extension Connection {
    /// Takes a call, and leaves it to `push` to see to it that it is written.
    func buffer(_ call: CallFrame) -> Bool {
        guard call.detached == nil else { return buffer(Frame(call)) }
        return buffer(FrameKind.call, byteCountGuess: call.byteCountGuess) { bytes in
            ByteWriter.append(to: &bytes) { call.write(to: &$0) }
        }
    }

    /// Sends a reply.
    func send(_ reply: ReplyFrame) -> Bool {
        guard reply.outcome.detached == nil else { return send(Frame(reply)) }
        return send(kind: FrameKind.reply, byteCountGuess: reply.byteCountGuess) { bytes in
            ByteWriter.append(to: &bytes) { reply.write(to: &$0) }
        }
    }
}

extension CallFrame {
    /// A checksum of what is called with what; the same for byte strings in the arguments and beside them.
    /// - Throws: When something beside the arguments is missing, or cannot be read.
    func checkedFingerprint() throws -> UInt32 {
        guard checksum == nil, let detached else { return fingerprint }
        let parts = detached.parts
        return try arguments.reduce(CRC32C.checksum(method.utf8)) { sum, argument in
            var crc: UInt32 = 0
            try BytePart.forEachPiece(of: argument, parts) { crc = CRC32C.checksum($0, after: crc) }
            return sum &* 31 &+ crc
        }
    }

    /// The same call with everything in its arguments, if that is not more than a record of it may keep.
    var whole: CallFrame {
        guard let detached, detached.byteCount <= Limits.deadLetterArgumentsBytesMax else { return self }
        var whole = self
        do {
            whole.arguments = try arguments.map { try BytePart.whole($0, detached.parts) }
        } catch {
            return self
        }
        whole.detached = nil
        return whole
    }
}

extension CallOutcome {
    /// What lies beside the result.
    fileprivate var detached: DetachedBytes? {
        if case .returnedApart(_, let detached) = self { detached } else { nil }
    }

    /// The outcome with everything in its result, as records keep it.
    /// - Throws: When something cannot be read.
    func whole() throws -> CallOutcome {
        guard case .returnedApart(let bytes, let detached) = self else { return self }
        return .returned(try BytePart.whole(bytes, detached.parts))
    }
}
