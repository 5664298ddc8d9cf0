internal import CBOR
internal import DurableCore
internal import Glibc

/// The conversation of a driver with the supervisor that it starts: one configuration, one outcome, over the
/// inherited control descriptor, blocking.
enum ControlPipe {
    static func send(_ message: some Encodable, to descriptor: Int32) throws(ActorError) {
        let payload: [UInt8]
        do {
            payload = try CBOREncoder().encode(message)
        } catch {
            throw ActorError(.internalError, "a start message cannot be encoded", cause: "\(error)")
        }
        var writer = ByteWriter()
        writer.write(counted: payload)
        var rest = writer.bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw broken() }
            rest = rest.dropFirst(count)
        }
    }

    static func receive<Message: Decodable>(_ type: Message.Type, from descriptor: Int32) throws(ActorError) -> Message
    {
        let length = try read(4, from: descriptor).reversed().reduce(0) { $0 << 8 | Int($1) }
        guard length <= 1 << 20 else { throw broken() }
        let payload = try read(length, from: descriptor)
        do {
            return try CBORDecoder().decode(Message.self, from: payload)
        } catch {
            throw ActorError(.internalError, "a start message cannot be read", cause: "\(error)")
        }
    }

    private static func read(_ count: Int, from descriptor: Int32) throws(ActorError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let got = bytes.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress! + filled, count - filled) }
            if got < 0, errno == EINTR { continue }
            guard got > 0 else { throw broken() }
            filled += got
        }
        return bytes
    }

    private static func broken() -> ActorError {
        ActorError(.supervisorUnreachable, "the supervisor ended while it was being started")
    }
}
