internal import CDurable
internal import Glibc
internal import Synchronization

/// Bytes in shared memory that nobody can change any more. Whoever has the descriptor can read them; the memory is free
/// again when the last process that had it has let go of it or has died.
package final class SharedSegment: Sendable {
    /// The descriptor, owned by this object and close-on-exec.
    package let descriptor: Int32
    /// How many bytes there are.
    package let count: Int

    /// Copies bytes into a new segment.
    /// - Throws: `system`, when there is no memory or no descriptor left.
    package convenience init(copying bytes: [UInt8]) throws(TransportError) {
        try self.init(copying: bytes.span.bytes)
    }

    /// Copies bytes into a new segment.
    /// - Throws: `system`, when there is no memory or no descriptor left.
    package convenience init(copying bytes: RawSpan) throws(TransportError) {
        var descriptor: Int32 = -1
        let error = bytes.withUnsafeBytes { durable_segment_create($0.baseAddress, $0.count, &descriptor) }
        guard error == 0 else { throw TransportError(errno: error, "\(bytes.byteCount) bytes cannot be shared") }
        try self.init(sealed: descriptor, count: bytes.byteCount)
    }

    /// Makes a segment of bytes that are written where they are.
    /// - Parameter fill: Writes the bytes; those that it leaves out are zero.
    /// - Throws: `system`, when there is no memory or no descriptor left, or what `fill` throws.
    package convenience init(count: Int, filledBy fill: (UnsafeMutableRawBufferPointer) throws -> Void) throws {
        var descriptor: Int32 = -1
        var address: UnsafeMutableRawPointer?
        let error = durable_segment_begin(count, &descriptor, &address)
        guard error == 0, let address else {
            throw TransportError(errno: error, "\(count) bytes cannot be shared")
        }
        let filled = Result { try fill(UnsafeMutableRawBufferPointer(start: address, count: count)) }
        let sealError = durable_segment_finish(descriptor, address, count)
        guard sealError == 0 else { throw TransportError(errno: sealError, "\(count) bytes cannot be shared") }
        try self.init(sealed: descriptor, count: count)
        try filled.get()
    }

    private init(sealed descriptor: Int32, count: Int) throws(TransportError) {
        guard Int(descriptor) < Self.descriptorsMax else {
            close(descriptor)
            throw TransportError(errno: EMFILE, "\(count) bytes cannot be shared")
        }
        self.descriptor = descriptor
        self.count = count
    }

    /// The last quarter of the process's descriptors is for files and connections, without which nothing goes on.
    private static let descriptorsMax: Int = {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limit) == 0 else { return 768 }
        return Int(clamping: limit.rlim_cur / 4 * 3)
    }()

    /// Takes over a descriptor that came from elsewhere.
    /// - Throws: `protocolViolation` when it is not that of a segment, or somebody could still change the bytes.
    package init(adopting owned: OwnedDescriptor, limit: Int) throws(TransportError) {
        var count = 0
        let error = durable_segment_size(owned.value, &count)
        guard error == 0 else {
            throw TransportError(.protocolViolation, "a descriptor is not that of shared bytes", errno: error)
        }
        guard count <= limit else {
            throw TransportError(.frameTooLarge, "the peer shared \(count) bytes; the limit is \(limit)")
        }
        descriptor = owned.take()
        self.count = count
    }

    deinit {
        durable_segment_close(descriptor, mapping.withLock { $0?.address }, count)
    }

    /// Where the segment is mapped, once somebody has looked at the bytes.
    // SAFETY: the bytes behind it never change, and are mapped until this object goes.
    private struct Mapping: @unchecked Sendable {
        let address: UnsafeRawPointer
    }

    private let mapping = Mutex<Mapping?>(nil)

    /// The bytes where they are; good as long as this object is there.
    /// - Throws: `system` when they cannot be mapped.
    package func mapped() throws(TransportError) -> UnsafeRawBufferPointer {
        let mapped = mapping.withLock { mapping -> Result<Mapping, TransportError> in
            if let mapping { return .success(mapping) }
            var address: UnsafeRawPointer?
            let error = durable_segment_map(descriptor, count, &address)
            guard error == 0, let address else {
                return .failure(TransportError(errno: error, "\(count) shared bytes cannot be mapped"))
            }
            let new = Mapping(address: address)
            mapping = new
            return .success(new)
        }
        return UnsafeRawBufferPointer(start: try mapped.get().address, count: count)
    }

    /// Gives the bytes where they are.
    /// - Throws: `system` when they cannot be mapped, and what `body` throws.
    package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result {
        let bytes = try mapped()
        return try withExtendedLifetime(self) { try body(bytes) }
    }

    /// A copy of the bytes, read from the mapped segment.
    /// - Throws: `system` when they cannot be mapped.
    package func bytes() throws(TransportError) -> [UInt8] {
        var error: Int32 = 0
        let copy = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            error = durable_segment_copy(descriptor, buffer.baseAddress, count)
            initialized = error == 0 ? count : 0
        }
        guard error == 0 else { throw TransportError(errno: error, "\(count) shared bytes cannot be mapped") }
        return copy
    }
}

extension SharedSegment: Hashable {
    /// Whether both are the same segment, and not only the same bytes.
    package static func == (left: SharedSegment, right: SharedSegment) -> Bool { left === right }

    package func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
