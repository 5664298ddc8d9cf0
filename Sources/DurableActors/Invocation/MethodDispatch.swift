internal import Distributed
internal import DurableCore

/// Runs one method of a hosted type, and keeps what was found out about it when it ran for the first time.
///
/// Swift's `executeDistributedTarget` looks up the types of arguments and result by their mangled names at each call,
/// which takes several times as long as a small method. So the first call goes that way and notes the types as they pass
/// by; later ones hand them to the entry point of Swift's runtime below it. That entry point is not public: it is named
/// in this file alone, for the compilers whose runtimes have it like this, and tests compare both ways.
// SAFETY: used on the worker's loop only.
final class MethodDispatch: @unchecked Sendable {
    /// The types that a call of the method meets.
    private struct Signature {
        let arguments: UnsafeMutableBufferPointer<any Any.Type>
        let result: ReturnedValue?
    }

    private let name: UnsafeMutableBufferPointer<UInt8>
    private var signature: Signature?
    /// A place for a result that no call uses now.
    private var spare: UnsafeMutableRawPointer?

    init(_ name: String) {
        let bytes = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: name.utf8.count)
        _ = bytes.initialize(from: name.utf8)
        self.name = bytes
    }

    deinit {
        name.deallocate()
        spare?.deallocate()
        signature?.arguments.deinitialize()
        signature?.arguments.deallocate()
    }

    /// Whether the next call skips the search for types.
    var isDirect: Bool { signature != nil }

    /// Runs the method.
    /// - Throws: What keeps it from being run at all; what it throws itself is its outcome.
    func run<Act: DurableActor>(
        _ frame: CallFrame,
        on instance: Act,
        _ runtime: ActorRuntime
    ) async throws -> CallOutcome? {
        if let signature { return await run(frame, on: instance, runtime, signature) }
        let handler = CallResultHandler()
        let types = ArgumentTypes()
        var decoder = CallDecoder(frame, for: Act.self, runtime: runtime, noting: types)
        try await runtime.executeDistributedTarget(
            on: instance,
            target: RemoteCallTarget(frame.method),
            invocationDecoder: &decoder,
            handler: handler
        )
        if let returned = handler.returned, frame.genericSubstitutions.isEmpty { learn(types.found, returned) }
        return handler.outcome
    }

    private func learn(_ types: [any Any.Type], _ returned: CallResultHandler.Returned) {
        #if compiler(>=6.1) && compiler(<6.5)
        guard signature == nil else { return }
        // Never empty: the runtime wants an address.
        let arguments = UnsafeMutableBufferPointer<any Any.Type>.allocate(capacity: max(1, types.count))
        arguments.initialize(repeating: Never.self)
        for (index, type) in types.enumerated() { arguments[index] = type }
        signature = Signature(arguments: arguments, result: returned.value)
        #endif
    }

    private func run<Act: DurableActor>(
        _ frame: CallFrame,
        on instance: Act,
        _ runtime: ActorRuntime,
        _ signature: Signature
    ) async -> CallOutcome? {
        var decoder = CallDecoder(frame, for: Act.self, runtime: runtime)
        let place = takePlace(for: signature.result)
        defer { spare = place.exchange(with: spare) }
        do {
            try await executeTarget(
                on: instance,
                Address(UnsafeRawPointer(name.baseAddress!)),
                UInt(name.count),
                argumentDecoder: &decoder,
                argumentTypes: Address(UnsafeRawPointer(signature.arguments.baseAddress!)),
                resultBuffer: Address(UnsafeRawPointer(place)),
                substitutions: nil,
                witnessTables: nil,
                numWitnessTables: 0
            )
        } catch {
            return CallResultHandler.outcome(throwing: error)
        }
        return signature.result?.take(place) ?? .returned([])
    }

    private func takePlace(for result: ReturnedValue?) -> UnsafeMutableRawPointer {
        if let spare {
            self.spare = nil
            return spare
        }
        return .allocate(byteCount: max(1, result?.byteCount ?? 1), alignment: result?.alignment ?? 1)
    }
}

/// How a method's result is taken from where the method left it.
// SAFETY: the closure keeps nothing but a type.
struct ReturnedValue: @unchecked Sendable {
    let byteCount: Int
    let alignment: Int
    /// Moves the value out and encodes it.
    let take: (UnsafeMutableRawPointer) -> CallOutcome

    init<Value: Codable>(_ type: Value.Type) {
        byteCount = MemoryLayout<Value>.size
        alignment = MemoryLayout<Value>.alignment
        take = { CallResultHandler.outcome(returning: $0.assumingMemoryBound(to: Value.self).move()) }
    }
}

/// The types of a call's arguments, noted as they are decoded.
final class ArgumentTypes {
    private(set) var found: [any Any.Type] = []

    func note(_ type: any Any.Type) { found.append(type) }
}

extension UnsafeMutableRawPointer {
    /// Keeps this memory as the spare one unless there is another already.
    fileprivate func exchange(with spare: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer {
        guard let spare else { return self }
        deallocate()
        return spare
    }
}

/// A pointer that the entry point is given.
// SAFETY: nobody else uses what it points to meanwhile; only the worker's loop does at all.
private struct Address: @unchecked Sendable {
    private let pointer: UnsafeRawPointer

    init(_ pointer: UnsafeRawPointer) { self.pointer = pointer }
}

/// The entry point of Swift's runtime that `executeDistributedTarget` calls when it has found the types.
// `@concurrent`: it has no parameter for the caller's isolation.
@concurrent
@_silgen_name("swift_distributed_execute_target")
private func executeTarget<Decoder: DistributedTargetInvocationDecoder>(
    on actor: AnyObject,
    _ targetName: Address,
    _ targetNameLength: UInt,
    argumentDecoder: inout Decoder,
    argumentTypes: Address,
    resultBuffer: Address,
    substitutions: Address?,
    witnessTables: Address?,
    numWitnessTables: UInt
) async throws
