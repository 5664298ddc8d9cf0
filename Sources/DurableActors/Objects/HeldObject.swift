internal import CBOR
internal import DurableCore
internal import DurableTransport
internal import Glibc
internal import Synchronization

/// A value as it travels between processes: small ones as bytes, large ones in memory that the processes share.
enum ObjectContents: Sendable {
    case outcome(CallOutcome)
    case segment(SharedSegment)

    /// Encodes a result.
    init(_ result: Result<some Encodable, any Error>) {
        do {
            self = try Self(encoding: try result.get())
        } catch {
            guard case .failure(let failure) = result else {
                let message = "the value cannot be encoded"
                self = .outcome(.failed(ActorError(.serialization, message, cause: "\(error)")))
                return
            }
            self = .outcome(CallOutcome(throwing: failure))
        }
    }

    /// Encodes a value. What it has in shared memory already stays there.
    init(encoding value: some Encodable) throws {
        var parts: [BytePart] = []
        let bytes = try CBOREncoder().encode(value, detaching: &parts)
        let areShared = parts.allSatisfy { if case .shared = $0 { true } else { false } }
        if areShared, let detached = DetachedBytes(parts) {
            self = .outcome(.returnedApart(bytes, detached))
        } else {
            self.init(encoded: try BytePart.whole(bytes, parts))
        }
    }

    /// How many bytes it has.
    var count: Int {
        switch self {
        case .segment(let segment): segment.count
        case .outcome(.returned(let bytes)): bytes.count
        case .outcome(.returnedApart(let bytes, let detached)): bytes.count + detached.byteCount
        case .outcome: 0
        }
    }

    /// How many of them are in shared memory.
    var sharedCount: Int {
        switch self {
        case .segment(let segment): segment.count
        case .outcome(.returnedApart(_, let detached)): detached.byteCount
        case .outcome: 0
        }
    }

    /// Keeps an encoded value, in shared memory when it is large and there is any.
    init(encoded bytes: [UInt8]) {
        guard bytes.count >= Limits.sharedValueBytesMin, let segment = try? SharedSegment(copying: bytes) else {
            self = .outcome(.returned(bytes))
            return
        }
        self = .segment(segment)
    }

    var isFailure: Bool {
        switch self {
        case .segment: false
        case .outcome(let outcome): !outcome.isReturn
        }
    }

    /// The value, as a copy.
    func value<Value: Codable>(as type: Value.Type, on runtime: ActorRuntime) throws -> Value {
        let outcome: CallOutcome
        switch self {
        case .outcome(let known): outcome = known
        case .segment(let segment):
            do {
                outcome = .returned(try segment.bytes())
            } catch {
                throw ActorError(.limitExceeded, "a large value cannot be mapped", cause: error.description)
            }
        }
        return try CallResult.value(type, of: outcome, runtime.decoder)
    }
}

/// A value that a reference stands for, or will: encoded, known by an id, and kept while somebody has it.
final class HeldObject: Sendable {
    let name: ObjectName
    /// What it is, once it is there.
    let contents = Settlement<ObjectContents>()
    /// Other values that it refers to, and keeps.
    private let nested: Mutex<[HeldObject]>
    private let cancellation: (@Sendable (CallFrame.Cancellation) -> Void)?
    private let ended: @Sendable () -> Void

    init(
        _ name: ObjectName,
        nested: [HeldObject] = [],
        cancellation: (@Sendable (CallFrame.Cancellation) -> Void)? = nil,
        ended: @escaping @Sendable () -> Void
    ) {
        self.name = name
        self.nested = Mutex(nested)
        self.cancellation = cancellation
        self.ended = ended
    }

    deinit { ended() }

    /// What it is has become known, and other values that it refers to.
    func settle(_ result: Result<some Encodable, any Error>) {
        var known: ObjectContents?
        let found = EncodedReferences.collect { known = ObjectContents(result) }
        nested.withLock { $0 = found }
        if let known { contents.settle(.success(known)) }
    }

    /// Has the call end early whose result it will be, if it is one's.
    func cancel(_ kind: CallFrame.Cancellation) { cancellation?(kind) }
}

/// What a reference is known by in this process.
struct ObjectName: Hashable, Sendable {
    /// Whose the value is; `nil` for this process.
    var owner: ObjectOwner?
    var number: UInt64
}

/// The references that are encoded by the present thread, so that who encodes something can keep them.
enum EncodedReferences {
    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        let error = pthread_key_create(&key, nil)
        precondition(error == 0, "the process has no thread-specific key left")
        return key
    }()

    /// Runs `body`, and returns the references that it encoded.
    static func collect(_ body: () throws -> Void) rethrows -> [HeldObject] {
        var found: [HeldObject] = []
        try withUnsafeMutablePointer(to: &found) { place in
            let outer = pthread_getspecific(key)
            pthread_setspecific(key, place)
            defer { pthread_setspecific(key, outer) }
            try body()
        }
        return found
    }

    /// Whether somebody keeps what is noted.
    static var areCollected: Bool { pthread_getspecific(key) != nil }

    private static let ordinal: pthread_key_t = {
        var key = pthread_key_t()
        let error = pthread_key_create(&key, nil)
        precondition(error == 0, "the process has no thread-specific key left")
        return key
    }()

    /// Runs `body` with references encoded as their places among each other: so that what is encoded is the same when
    /// it is made again, with references to other calls and values that are equal.
    static func numbered(_ body: () throws -> Void) rethrows {
        var next: UInt64 = 0
        try withUnsafeMutablePointer(to: &next) { place in
            let outer = pthread_getspecific(ordinal)
            pthread_setspecific(ordinal, place)
            defer { pthread_setspecific(ordinal, outer) }
            try body()
        }
    }

    /// The place of a reference, if it is to be encoded as that.
    static func nextNumber() -> UInt64? {
        guard let place = pthread_getspecific(ordinal) else { return nil }
        let next = place.assumingMemoryBound(to: UInt64.self)
        next.pointee += 1
        return next.pointee
    }

    static func note(_ object: HeldObject) {
        guard let place = pthread_getspecific(key) else { return }
        place.assumingMemoryBound(to: [HeldObject].self).pointee.append(object)
    }
}
