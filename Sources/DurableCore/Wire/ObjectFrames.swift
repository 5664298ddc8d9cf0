/// What names a value that one process keeps for others.
package struct ObjectID: Sendable, Hashable, Codable {
    /// The process that has it: the one that submitted the call or put the value. With it the value goes.
    package var owner: ObjectOwner
    /// Which of its values.
    package var number: UInt64

    package init(owner: ObjectOwner, number: UInt64) {
        self.owner = owner
        self.number = number
    }
}

/// A process's membership in a runtime, as the owner of values.
package struct ObjectOwner: Sendable, Hashable, Codable, CustomStringConvertible {
    package var pid: Int32
    /// Which membership of which process of that number: a random number.
    package var membership: UInt32

    package init(pid: Int32, membership: UInt32) {
        self.pid = pid
        self.membership = membership
    }

    /// The name of the socket at which it can be asked for its values; at most 13 bytes.
    package var socketName: String {
        "\(String(UInt32(bitPattern: pid), radix: 36))-\(String(membership, radix: 36))"
    }

    /// Reads the name of a socket.
    package init?(socketName: String) {
        let parts = socketName.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let pid = UInt32(parts[0], radix: 36), let membership = UInt32(parts[1], radix: 36)
        else { return nil }
        self.init(pid: Int32(bitPattern: pid), membership: membership)
    }

    package var description: String { "process \(pid)" }
}

/// What one process asks of another that owns values.
package enum ObjectRequest: Sendable, Hashable {
    /// The value, as soon as there is one; it is kept until it is released as often as it was fetched.
    case fetch(UInt64)
    /// Fetched once, and needed no more.
    case release(UInt64)
    /// The call whose result it will be is to end early.
    case cancel(UInt64, recursive: Bool)
    /// It is to be kept for as long as its owner lives: it may be stored where nobody counts it.
    case keep(UInt64)

    /// The frame's payload.
    package func encoded() -> [UInt8] {
        var writer = ByteWriter(reserving: 9)
        switch self {
        case .fetch(let number):
            writer.write(UInt8(0))
            writer.write(number)
        case .release(let number):
            writer.write(UInt8(1))
            writer.write(number)
        case .cancel(let number, let recursive):
            writer.write(UInt8(recursive ? 3 : 2))
            writer.write(number)
        case .keep(let number):
            writer.write(UInt8(4))
            writer.write(number)
        }
        return writer.bytes
    }

    /// Reads a payload that came from outside.
    package init(decoding payload: [UInt8]) throws(MalformedBytes) {
        var reader = ByteReader(payload)
        let tag = try reader.readByte()
        let number = try reader.read(UInt64.self)
        try reader.finish()
        switch tag {
        case 0: self = .fetch(number)
        case 1: self = .release(number)
        case 2: self = .cancel(number, recursive: false)
        case 3: self = .cancel(number, recursive: true)
        case 4: self = .keep(number)
        default: throw MalformedBytes("an object request begins with \(tag)")
        }
    }
}

/// The answer to a fetch.
package struct ObjectAnswer: Sendable, Hashable {
    /// Which value.
    package var number: UInt64
    /// The value, or how the call failed; `nil` when the value is in the segment whose descriptor comes with the answer.
    package var outcome: CallOutcome?

    package init(number: UInt64, outcome: CallOutcome?) {
        self.number = number
        self.outcome = outcome
    }

    /// The frame's payload.
    package func encoded() -> [UInt8] {
        var writer = ByteWriter(reserving: 64)
        writer.write(number)
        outcome?.write(to: &writer)
        return writer.bytes
    }

    /// Reads a payload that came from outside.
    /// - Parameter detached: What came beside it.
    package init(decoding payload: [UInt8], detached: DetachedBytes? = nil) throws(MalformedBytes) {
        var reader = ByteReader(payload)
        number = try reader.read()
        outcome = reader.remaining > 0 ? try CallOutcome(from: &reader, detached: detached) : nil
        try reader.finish()
    }
}
