internal import CBOR
internal import DurableCore
internal import DurableTransport

/// Bytes in memory that processes share: as an argument, as a result or inside of either, they are not copied.
///
/// Whoever gets them reads the same memory. Nobody can change it, not even who made it, and it is free again when the last
/// process has let go of it or has died. Making them is one copy into new memory, which takes several times as long as a
/// copy into old memory; each call with them after that takes as long as one without.
///
/// Each process that has some holds an open descriptor for it. Less than 32 KiB, and what there is no descriptor or
/// memory for, is a copy in each process, like an array. In stored state, in a file and in a text they are a byte string,
/// or what else an array of bytes is there.
public struct SharedBytes: Sendable {
    // SAFETY: the bytes never change, and are there as long as their segment.
    private final class Memory: @unchecked Sendable {
        let segment: SharedSegment
        let bytes: UnsafeRawBufferPointer

        init(_ segment: SharedSegment) throws(TransportError) {
            self.segment = segment
            bytes = try segment.mapped()
        }
    }

    private enum Storage: Sendable {
        case array([UInt8])
        case shared(Memory)
    }

    private let storage: Storage

    /// No bytes.
    public init() { storage = .array([]) }

    /// Copies bytes.
    public init(_ bytes: some Sequence<UInt8>) {
        if let bytes = bytes as? SharedBytes {
            self = bytes
            return
        }
        let storage = bytes.withContiguousStorageIfAvailable { Self.copy(UnsafeRawBufferPointer($0)) }
        self.storage = storage ?? Array(bytes).withUnsafeBytes { Self.copy($0) }
    }

    /// Makes bytes where they will be, without a copy.
    /// - Parameters:
    ///   - count: How many.
    ///   - fill: Writes them; those that it leaves out are zero.
    /// - Throws: What `fill` throws. It may be called a second time, when there is no memory that can be shared.
    public init(count: Int, filledBy fill: (UnsafeMutableRawBufferPointer) throws -> Void) throws {
        precondition(count >= 0, "there cannot be \(count) bytes")
        var failure: (any Error)?
        if count >= BytePart.bytesMin {
            do {
                let segment = try SharedSegment(count: count) { bytes in
                    do { try fill(bytes) } catch { failure = error }
                }
                if failure == nil {
                    storage = .shared(try Memory(segment))
                    return
                }
            } catch {
                // Then they are in memory of this process.
            }
        }
        if let failure { throw failure }
        var bytes = [UInt8](repeating: 0, count: count)
        try bytes.withUnsafeMutableBytes { try fill($0) }
        storage = .array(bytes)
    }

    /// Gives the bytes where they are.
    public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        switch storage {
        case .array(let bytes): try bytes.withUnsafeBytes(body)
        case .shared(let memory): try withExtendedLifetime(memory) { try body(memory.bytes) }
        }
    }

    private static func copy(_ bytes: UnsafeRawBufferPointer) -> Storage {
        do {
            guard bytes.count >= BytePart.bytesMin else { return .array(Array(bytes)) }
            return .shared(try Memory(SharedSegment(copying: bytes.bytes)))
        } catch {
            // There is no memory to share, or no descriptor.
            return .array([UInt8](copyingLarge: bytes))
        }
    }
}

extension SharedBytes: RandomAccessCollection {
    /// Always 0.
    public var startIndex: Int { 0 }

    /// How many bytes there are.
    public var endIndex: Int {
        switch storage {
        case .array(let bytes): bytes.count
        case .shared(let memory): memory.bytes.count
        }
    }

    /// The byte at a position, which must be one of ``indices``.
    public subscript(position: Int) -> UInt8 {
        switch storage {
        case .array(let bytes): return bytes[position]
        case .shared(let memory):
            precondition(position >= 0 && position < memory.bytes.count, "there is no byte \(position)")
            return memory.bytes[position]
        }
    }

    /// Gives the bytes where they are; they always are in one place.
    public func withContiguousStorageIfAvailable<Result>(
        _ body: (UnsafeBufferPointer<UInt8>) throws -> Result
    ) rethrows -> Result? {
        try withUnsafeBytes { try $0.withMemoryRebound(to: UInt8.self, body) }
    }
}

extension SharedBytes: Hashable {
    /// Whether both have the same bytes.
    public static func == (left: Self, right: Self) -> Bool {
        if case .shared(let one) = left.storage, case .shared(let other) = right.storage, one === other { return true }
        return left.count == right.count && left.elementsEqual(right)
    }

    /// Adds the bytes.
    public func hash(into hasher: inout Hasher) { withUnsafeBytes { hasher.combine(bytes: $0) } }
}

extension SharedBytes: Codable {
    /// Reads what ``encode(to:)`` has written, or an array of bytes.
    public init(from decoder: any Decoder) throws {
        switch try BytePart.decode(from: decoder) {
        case .array(let bytes):
            storage = .array(bytes)
        case .shared(let bytes):
            guard let segment = bytes as? SharedSegment else {
                storage = .array(try BytePart.shared(bytes).array())
                return
            }
            storage = .shared(try Memory(segment))
        case nil:
            storage = .array(try decoder.singleValueContainer().decode([UInt8].self))
        }
    }

    /// Writes what stands for the shared memory, when it is sent to another process; the bytes otherwise.
    public func encode(to encoder: any Encoder) throws {
        if case .shared(let memory) = storage, try BytePart.encode(memory.segment, to: encoder) { return }
        var container = encoder.singleValueContainer()
        switch storage {
        case .array(let bytes): try container.encode(bytes)
        case .shared(let memory): try container.encode([UInt8](copyingLarge: memory.bytes))
        }
    }
}
