import CBOR
import DurableCore
import DurableSupervisor

@testable import DurableStore
@testable import DurableTransport

/// Something that reads bytes of others. Whatever they are, it must not trap, and what it has understood it must be able
/// to say again.
enum FuzzTarget: String, CaseIterable {
    case value, typed, call, frames, rows, text

    func run(_ bytes: [UInt8]) {
        switch self {
        case .value: Self.value(bytes)
        case .typed: Self.typed(bytes)
        case .call: Self.call(bytes)
        case .frames: Self.frames(bytes)
        case .rows: Self.rows(bytes)
        case .text: Self.text(bytes)
        }
    }

    /// Any CBOR: what is decoded encodes to a form that decodes to the same, and its text can be made.
    private static func value(_ bytes: [UInt8]) {
        _ = try? CBORDiagnostic.json(bytes, pretty: false)
        guard let value = try? CBORDecoder().decode(CBORValue.self, from: bytes) else { return }
        guard let encoded = try? CBOREncoder().encode(value) else {
            fatalError("what was decoded cannot be encoded: \(value)")
        }
        guard let again = try? CBORDecoder().decode(CBORValue.self, from: encoded) else {
            fatalError("what was encoded cannot be decoded: \(value)")
        }
        // A value that is not equal to itself says nothing here: NaN.
        let isSame = (try? CBOREncoder().encode(again)) == encoded
        precondition(isSame, "\(value) became \(again)")
    }

    /// CBOR of known types: messages of drivers, workers and the supervisor, rows of registry and shards.
    private static func typed(_ bytes: [UInt8]) {
        guard let first = bytes.first else { return }
        let rest = Array(bytes.dropFirst())
        switch first % 16 {
        case 0: roundTrip(SupervisorRequest.self, rest)
        case 1: roundTrip(SupervisorResponse.self, rest)
        case 2: roundTrip(WorkerCommand.self, rest)
        case 3: roundTrip(WorkerGreeting.self, rest)
        case 4: roundTrip(DriverGreeting.self, rest)
        case 5: roundTrip(ActorRecord.self, rest)
        case 6: roundTrip(LedgerEntry.self, rest)
        case 7: roundTrip(ActorError.self, rest)
        case 8: roundTrip(StoredActor.self, rest)
        case 9: roundTrip(StoredSchema.self, rest)
        case 10: roundTrip(CollectionHeader.self, rest)
        case 11: roundTrip(StoredDeadLetter.self, rest)
        case 12: roundTrip(HistoryEntry.self, rest)
        case 13: roundTrip(RegistryStore.Driver.self, rest)
        case 14: roundTrip(Mixture.self, rest)
        default: roundTrip(ActorID.self, rest)
        }
    }

    /// Every kind of thing that a state may be made of.
    private struct Mixture: Codable {
        struct Inner: Codable {
            var bytes: [UInt8]
            var flags: Set<UInt16>
        }

        enum Choice: Codable {
            case none
            case some(Int8, label: String?)
        }

        var number: Int64?
        var real: Double
        var small: Float?
        var text: String
        var inner: [String: Inner]
        var choices: [Choice]
        var nested: [[Int: Bool]]
        var maybe: UInt64??
    }

    private static func roundTrip<Value: Codable>(_ type: Value.Type, _ bytes: [UInt8]) {
        guard let value = try? CBORDecoder().decode(type, from: bytes) else { return }
        guard let encoded = try? CBOREncoder().encode(value) else {
            fatalError("what was decoded cannot be encoded: \(value)")
        }
        guard let again = try? CBORDecoder().decode(type, from: encoded) else {
            fatalError("what was encoded cannot be decoded: \(value)")
        }
        precondition((try? CBOREncoder().encode(again)) == encoded, "\(value) became \(again)")
    }

    /// The payloads of frames.
    private static func call(_ bytes: [UInt8]) {
        guard let first = bytes.first else { return }
        let rest = Array(bytes.dropFirst())
        switch first % 7 {
        case 0:
            same(try? CallFrame(decoding: rest)) {
                $0.encoded()
            } decoding: {
                try CallFrame(decoding: $0)
            }
        case 1:
            same(try? ReplyFrame(decoding: rest)) {
                $0.encoded()
            } decoding: {
                try ReplyFrame(decoding: $0)
            }
        case 2:
            same(try? HostGreeting(decoding: rest)) {
                $0.encoded()
            } decoding: {
                try HostGreeting(decoding: $0)
            }
        case 3:
            same(try? ReleaseFrame(decoding: rest)) {
                $0.encoded()
            } decoding: {
                try ReleaseFrame(decoding: $0)
            }
        case 4:
            same(try? SupersededFrame(decoding: rest)) {
                $0.encoded()
            } decoding: {
                try SupersededFrame(decoding: $0)
            }
        case 5:
            same(try? ObjectRequest(decoding: rest)) {
                $0.encoded()
            } decoding: {
                try ObjectRequest(decoding: $0)
            }
        default:
            same(try? ObjectAnswer(decoding: rest)) {
                $0.encoded()
            } decoding: {
                try ObjectAnswer(decoding: $0)
            }
        }
    }

    private static func same<Value: Equatable>(
        _ value: Value?,
        _ encode: (Value) throws -> [UInt8],
        decoding: ([UInt8]) throws -> Value
    ) {
        guard let value else { return }
        guard let encoded = try? encode(value), let again = try? decoding(encoded) else {
            fatalError("it cannot be said again: \(value)")
        }
        precondition(again == value, "\(value) became \(again)")
    }

    /// A stream of frames: however it is split, the frames are the same, and a first one says who the peer is, or not.
    private static func frames(_ bytes: [UInt8]) {
        guard let first = bytes.first else { return }
        let stream = Array(bytes.dropFirst())
        let whole = read(stream, pieces: stream.count)
        let pieces = read(stream, pieces: 1 + Int(first % 31))
        precondition(whole.frames == pieces.frames && whole.hasFailed == pieces.hasFailed, "split, it is another")
        guard let frame = whole.frames.first, let hello = try? Handshake.hello(from: frame) else { return }
        precondition((try? Handshake.hello(from: Handshake.frame(hello))) == hello, "a greeting became another")
    }

    private static func read(_ stream: [UInt8], pieces size: Int) -> (frames: [Frame], hasFailed: Bool) {
        var reader = FrameReader(frameBytesMax: 4_096)
        reader.partBytesMax = 64 << 10
        var frames: [Frame] = []
        var start = 0
        while start < stream.count {
            let piece = Array(stream[start..<min(stream.count, start + max(1, size))])
            start += piece.count
            let isDone = piece.withUnsafeBytes { buffer in
                var offset = 0
                do {
                    while let frame = try reader.next(in: buffer, offset: &offset) { frames.append(frame) }
                    return false
                } catch {
                    return true
                }
            }
            if isDone { return (frames, true) }
        }
        return (frames, false)
    }

    /// Rows of a shard, as they are and with a checksum that is right for what is in them.
    private static func rows(_ bytes: [UInt8]) {
        guard let first = bytes.first else { return }
        let rest = Array(bytes.dropFirst())
        let row = first & 0x80 == 0 ? StoredValue.seal(rest) : rest
        _ = try? StoredValue.openAny(row)
        let id = CallID(session: SessionID(high: 0, low: 1), sequence: 1)
        switch first % 9 {
        case 0:
            same(try? Completion(decoding: row, id: id)) {
                StoredValue.seal($0.payload())
            } decoding: {
                try Completion(decoding: $0, id: id)
            }
        case 1:
            if let keyed = try? KeyedRow(decoding: row) {
                let again = try? KeyedRow(decoding: StoredValue.seal(keyed.payload()))
                precondition(again?.completion == keyed.completion && again?.expires == keyed.expires)
            }
        case 2:
            same(try? SessionRow(decoding: row)) {
                StoredValue.seal($0.payload())
            } decoding: {
                try SessionRow(decoding: $0)
            }
        case 3:
            guard var clock = try? ShardClock(decoding: row) else { return }
            same(clock) {
                $0.encoded()
            } decoding: {
                try ShardClock(decoding: $0)
            }
            let before = clock.milliseconds
            precondition(clock.advance(to: clock.reading) >= before, "time went back")
        case 4:
            same(try? Fence(decoding: row)) {
                $0.encoded()
            } decoding: {
                try Fence(decoding: $0)
            }
        case 5:
            if let undo = try? UndoLog.Row(decoding: row) {
                let again = try? UndoLog.Row(decoding: undo.encoded())
                precondition(again?.encoded() == undo.encoded())
            }
        case 6: _ = try? ContentsSum(decoding: row)
        case 7:
            same(try? PortionsReference(decoding: rest[...])) {
                $0.encoded()
            } decoding: {
                try PortionsReference(decoding: $0[...])
            }
        default: _ = try? HistoryEntry(decoding: row)
        }
    }

    /// What processes have written for people, and identifiers as text.
    private static func text(_ bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        let words = LastWords(stderr: text)
        precondition(words.text.utf8.count <= Limits.stderrTailBytesMax, "more is kept than may be")
        if let owner = ObjectOwner(socketName: text) {
            precondition(ObjectOwner(socketName: owner.socketName) == owner)
        }
        if let id = ActorID(hexadecimal: text) { precondition(ActorID(hexadecimal: id.description) == id) }
        if let id = ActorID(bytes: bytes) { precondition(id.bytes == bytes) }
        _ = try? OrderedKey.encode(text)
        _ = try? OrderedKey.encode(bytes)
    }
}
