internal import CBOR
public import Distributed
internal import DurableCore
internal import Synchronization

/// Keeps how a method ended. Used by Swift's distributed methods.
public final class CallResultHandler: DistributedTargetInvocationResultHandler {
    /// What arguments and results must be.
    public typealias SerializationRequirement = any Codable

    /// A method returned, perhaps a value.
    struct Returned: Sendable {
        var value: ReturnedValue?
    }

    private struct State {
        var outcome: CallOutcome?
        var returned: Returned?
    }

    private let state = Mutex(State())

    var outcome: CallOutcome? { state.withLock { $0.outcome } }

    /// Whether the method returned, and how its result is taken.
    var returned: Returned? { state.withLock { $0.returned } }

    /// The method returned a value.
    public func onReturn<Success: Codable>(value: Success) async throws {
        let outcome = Self.outcome(returning: value)
        state.withLock { $0 = State(outcome: outcome, returned: Returned(value: ReturnedValue(Success.self))) }
    }

    /// The method returned nothing.
    public func onReturnVoid() async throws {
        state.withLock { $0 = State(outcome: .returned([]), returned: Returned()) }
    }

    /// The method threw.
    public func onThrow<Failure: Error>(error: Failure) async throws {
        let outcome = Self.outcome(throwing: error)
        state.withLock { $0 = State(outcome: outcome) }
    }

    /// What a method's result comes to.
    static func outcome<Success: Codable>(returning value: Success) -> CallOutcome {
        do {
            var bytes: [UInt8] = []
            var parts: [BytePart] = []
            // What it refers to is kept for a while after this.
            _ = try EncodedReferences.collect { bytes = try CBOREncoder().encode(value, detaching: &parts) }
            let detached = DetachedBytes(parts)
            let count = bytes.count + (detached?.byteCount ?? 0)
            guard count <= Limits.valueBytesMax - Limits.callHeaderBytesMax else {
                let message = "the result has \(count) bytes; at most \(Limits.valueBytesMax) can be returned"
                return .failed(ActorError(.limitExceeded, message))
            }
            return detached.map { .returnedApart(bytes, $0) } ?? .returned(bytes)
        } catch {
            let message = "the result cannot be encoded as \(Success.self)"
            return .failed(ActorError(.serialization, message, cause: "\(error)"))
        }
    }

    /// What a method's error comes to.
    static func outcome(throwing error: any Error) -> CallOutcome {
        guard error is CancellationError, Task.isCancelled else { return CallOutcome(throwing: error) }
        return .failed(ActorError(.cancelled, "the call was cancelled while it ran; what it had changed is kept"))
    }
}

extension CallOutcome {
    /// Whether the method returned.
    var isReturn: Bool {
        switch self {
        case .returned, .returnedApart: true
        case .threw, .failed: false
        }
    }

    /// One of the framework's errors.
    static func failed(_ error: ActorError) -> CallOutcome {
        // Strings and numbers only: the encoding cannot fail.
        .failed((try? CBOREncoder().encode(error)) ?? [])
    }

    /// An error that user code threw: as itself when it is `Codable`, as its text otherwise.
    init(throwing error: any Error) {
        if let error = error as? ActorError {
            self = .failed(error)
        } else if error is ExecuteDistributedTargetError {
            // Swift's own, before the method began.
            let message = "the method cannot be run; caller and worker may be of different versions"
            self = .failed(ActorError(.unknownMethod, message, cause: "\(error)"))
        } else if let value = error as? any Error & Codable, let name = _mangledTypeName(type(of: value)),
            let bytes = try? CBOREncoder().encode(value)
        {
            self = .threw(typeName: name, value: bytes)
        } else {
            self = .failed(ActorError(.userError, "\(type(of: error)): \(error)"))
        }
    }
}

/// Turns outcomes back into what the caller gets.
enum CallResult {
    /// The result, or the error that the method threw.
    static func value<Value: Codable>(_ type: Value.Type, of outcome: CallOutcome, _ decoder: CBORDecoder) throws
        -> Value
    {
        switch outcome {
        case .returned(let bytes):
            do {
                return try decoder.decode(Value.self, from: bytes)
            } catch {
                throw unreadable(Value.self, error)
            }
        case .returnedApart(let bytes, let detached):
            do {
                return try decoder.decode(Value.self, from: bytes, parts: detached.parts)
            } catch {
                throw unreadable(Value.self, error)
            }
        case .threw, .failed:
            throw failure(outcome, decoder)
        }
    }

    private static func unreadable(_ type: Any.Type, _ cause: any Error) -> ActorError {
        ActorError(.serialization, "the result cannot be read as \(type)", cause: "\(cause)")
    }

    /// Throws what the method threw, if it did.
    static func check(_ outcome: CallOutcome, _ decoder: CBORDecoder) throws {
        if outcome.isReturn { return }
        throw failure(outcome, decoder)
    }

    /// The error that the call ended with, if it did.
    static func error(of outcome: CallOutcome, _ decoder: CBORDecoder) -> (any Error)? {
        if outcome.isReturn { return nil }
        return failure(outcome, decoder)
    }

    private static func failure(_ outcome: CallOutcome, _ decoder: CBORDecoder) -> any Error {
        switch outcome {
        case .returned, .returnedApart:
            return ActorError(.internalError, "a call returned and failed")
        case .failed(let bytes):
            return (try? decoder.decode(ActorError.self, from: bytes))
                ?? ActorError(.serialization, "the worker's error cannot be read")
        case .threw(let name, let bytes):
            // Only a type that is an error and `Codable` is ever made from a name that a worker sent.
            guard let type = _typeByName(name) as? any (Error & Codable).Type,
                let error = try? decode(type, bytes, decoder)
            else {
                let text = (try? CBORDiagnostic.json(bytes, pretty: false)) ?? ""
                return ActorError(.userError, "the method threw an error of type \(name)", cause: text)
            }
            return error
        }
    }

    private static func decode<Failure: Error & Codable>(
        _ type: Failure.Type,
        _ bytes: [UInt8],
        _ decoder: CBORDecoder
    ) throws -> Failure {
        try decoder.decode(type, from: bytes)
    }
}
