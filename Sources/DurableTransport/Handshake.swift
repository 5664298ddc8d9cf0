/// The first frame of each direction: kind 0, payload = "DURA" | version (16 bits, little-endian) | role | info.
///
/// Every version of the protocol begins with magic and version, so that each side can name the other's.
enum Handshake {
    static let magic: [UInt8] = Array("DURA".utf8)
    static let version: UInt16 = 2
    private static let fixedBytes = 7

    static func frame(_ hello: Hello, version: UInt16 = version) -> Frame {
        let bytes = magic + [UInt8(truncatingIfNeeded: version), UInt8(version >> 8), hello.role] + hello.info
        return Frame(kind: Frame.helloKind, payload: bytes)
    }

    static func hello(from frame: Frame) throws(TransportError) -> Hello {
        guard frame.kind == Frame.helloKind else {
            throw TransportError(.protocolViolation, "the first frame is of kind \(frame.kind), not a Hello")
        }
        let payload = frame.payload
        guard payload.count >= 6, payload[0..<4].elementsEqual(magic) else {
            throw TransportError(.protocolViolation, "the first frame does not begin with the protocol's magic")
        }
        let theirs = UInt16(payload[4]) | UInt16(payload[5]) << 8
        guard theirs == version else {
            throw TransportError(
                .versionMismatch,
                "the peer speaks version \(theirs) of the protocol, this process speaks version \(version)"
            )
        }
        guard payload.count >= fixedBytes else {
            throw TransportError(.protocolViolation, "the peer's Hello ends before its role")
        }
        return Hello(role: payload[6], info: Array(payload[fixedBytes...]))
    }
}
