/// Where the parts of one map entry lie in a `Writer`'s bytes; the end is known when the map is closed.
struct MapEntry: BitwiseCopyable {
    var keyStart: Int
    var valueStart: Int
    var end: Int
}

/// Appends deterministic CBOR to one buffer.
///
/// Containers are opened with a placeholder of one byte, which is widened when the count turns out not to fit.
/// Map entries are recorded on one stack while the map is open and put in order when it is closed.
struct Writer: ~Copyable {
    var bytes: Memory<UInt8>
    var entries: Memory<MapEntry>
    /// The orders in which the keys of maps were sorted before.
    var orders = KeyOrders()
    /// Where the entries of a map are put in order.
    var scratch: Memory<UInt8>
    /// The level of the one `EncoderNode` whose turn it is to write.
    var turn = 0
    /// Whether large byte strings are put beside the bytes.
    var detaches = false
    /// The byte strings that lie there.
    var parts: [BytePart] = []

    init(capacity: Int = 480) {
        bytes = Memory(capacity: capacity)
        scratch = Memory(capacity: 0)
        entries = Memory(capacity: 16)
    }

    @inline(__always)
    mutating func writeHead(_ major: UInt8, _ argument: UInt64) { bytes.writeHead(major, argument) }

    @inline(__always)
    mutating func writeNull() { bytes.append(InitialByte.null) }

    @inline(__always)
    mutating func write(_ value: Bool) { bytes.write(value) }

    @inline(__always)
    mutating func write(_ value: String) { bytes.write(value) }

    /// Writes a value whose type has a form for single values.
    @inline(__always)
    mutating func write<Value>(_ value: Value, as form: DirectForm) {
        if form == .bytes, detaches, detach(known(value, as: [UInt8].self)) { return }
        bytes.write(value, as: form)
    }

    mutating func write(byteString value: [UInt8]) { value.withUnsafeBufferPointer { bytes.write(byteString: $0) } }

    @inline(__always)
    mutating func write(_ value: some FixedWidthInteger) { bytes.write(value) }

    @inline(__always)
    mutating func write(_ value: Double) { bytes.write(value) }
}

// Containers.
extension Writer {
    /// Leaves room for the head of a container and returns where it is.
    @inline(__always)
    mutating func openContainer() -> Int {
        bytes.append(0)
        return bytes.count - 1
    }

    /// Writes the head of the container opened at `start`, moving its content when the head needs more than one byte.
    @inline(__always)
    mutating func closeContainer(_ major: UInt8, at start: Int, count: Int) {
        if count >= 24 { bytes.openGap(at: start, count: Memory<UInt8>.headWidth(UInt64(count)) - 1) }
        bytes.setHead(major, UInt64(count), at: start)
    }

    /// Starts an entry of the innermost open map, whose key and value are written next.
    ///
    /// - Returns: the index for `endKey`.
    @inline(__always)
    mutating func beginKey() -> Int {
        let start = bytes.count
        entries.append(MapEntry(keyStart: start, valueStart: start, end: start))
        return entries.count - 1
    }

    @inline(__always)
    mutating func endKey(_ index: Int) { entries[index].valueStart = bytes.count }

    /// Starts an entry of the innermost open map by writing its key; its value is written next.
    @inline(__always)
    mutating func beginEntry(_ name: String) {
        let start = bytes.count
        bytes.write(name)
        entries.append(MapEntry(keyStart: start, valueStart: bytes.count, end: start))
    }

    /// Undoes everything written since the buffer had `byteCount` bytes and the stack `entryCount` entries.
    mutating func truncate(byteCount: Int, entryCount: Int) {
        bytes.truncate(byteCount)
        entries.truncate(entryCount)
    }
}
