/// The place of one value: what its `encode(to:)` sees as the encoder.
///
/// Nodes write straight into the shared buffer, so only the innermost open node may write. A nested container keeps its
/// place at the end of the buffer until its parent writes again; then it moves to a buffer of its own, and is put back
/// in place when the parent is closed (`EncoderNode+Nested.swift`).
final class EncoderNode: Encoder {
    /// `nothing` can become `single`, `array` or `map`; `single` becomes `value`; all of them become `closed`.
    enum Content {
        case nothing, single, value, array, map, closed
    }

    let session: EncodingSession
    var sink: EncodingSink {
        didSet { output = sink.writer }
    }
    /// The writer of the sink, reached without counting references.
    private(set) var output: UnsafeMutablePointer<Writer>
    var parent: EncoderNode?
    var key: (any CodingKey)?
    /// The type of the value in this place, if it is known.
    var type: (any Any.Type)?
    /// How many open values enclose this place; -1 when it is closed.
    var level = 0
    /// How many arrays and maps enclose this place.
    var depth = 0
    var content = Content.nothing
    /// Where the container, or the single value, begins.
    var start = 0
    var firstEntry = 0
    /// Elements of an array so far.
    var count = 0
    /// True while all elements of an array were `UInt8`; they are then written without heads.
    var isByteString = true
    /// All elements so far, when they are a large byte string that may become a part.
    private var large: [UInt8]?
    /// Whether keys that have an integer are written as integers.
    var hasIntegerKeys = false
    /// The nested container that is open at the end of the buffer.
    var nested: EncoderNode?
    /// Nested containers that moved to buffers of their own, by the place where they belong.
    var detached: [(position: Int, node: EncoderNode)] = []
    /// A closed child, kept to be used again.
    private var spare: EncoderNode?

    init(session: EncodingSession, sink: EncodingSink) {
        self.session = session
        self.sink = sink
        output = sink.writer
    }

    var userInfo: [CodingUserInfoKey: Any] { session.userInfo }

    var codingPath: [any CodingKey] {
        var path: [any CodingKey] = []
        var node: EncoderNode? = self
        while let current = node {
            if let key = current.key { path.append(key) }
            node = current.parent
        }
        return path.reversed()
    }

    func open(type: (any Any.Type)?, parent: EncoderNode?, key: (any CodingKey)?, level: Int, depth: Int) {
        self.type = type
        self.parent = parent
        self.key = key
        self.level = level
        self.depth = depth
        content = .nothing
        start = output.pointee.bytes.count
        firstEntry = output.pointee.entries.count
        count = 0
        isByteString = true
        hasIntegerKeys = false
        output.pointee.turn = level
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        become(.map)
        return KeyedEncodingContainer(KeyedWriter<Key>(node: self))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        become(.array)
        return UnkeyedWriter(node: self)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer {
        become(.single)
        return SingleValueWriter(node: self)
    }

    /// Starts the container, or notes the misuse if this place already holds something else.
    func become(_ wanted: Content) {
        if content == .nothing && output.pointee.turn == level {
            content = wanted
            if wanted != .single { start = output.pointee.openContainer() }
        } else if content != wanted {
            let isFree = content == .nothing
            fail(isFree ? "used while a value inside it is open" : "this place already holds something else")
        }
    }

    /// Makes sure that this node may write at the end of the buffer.
    @inline(__always)
    func takeTurn() throws {
        if output.pointee.turn != level { try regainTurn() }
    }

    @inline(__always)
    func beginEntry(_ key: some CodingKey) throws {
        try takeTurn()
        if hasIntegerKeys, let integer = key.intValue {
            let entry = output.pointee.beginKey()
            output.pointee.write(integer)
            output.pointee.endKey(entry)
        } else {
            output.pointee.beginEntry(key.stringValue)
        }
    }

    @inline(__always)
    func beginElement() throws {
        try takeTurn()
        if isByteString { leaveByteString() }
        count += 1
    }

    @inline(__always)
    func beginSingleValue() throws {
        try takeTurn()
        guard content == .single else { throw invalid("a single value container takes one value") }
        content = .value
    }

    func appendByte(_ byte: UInt8) throws {
        try takeTurn()
        if large != nil { writeLarge() }
        count += 1
        if isByteString { output.pointee.bytes.append(byte) } else { output.pointee.write(byte) }
    }

    func append(bytes: [UInt8]) throws {
        guard isByteString else {
            for byte in bytes { try appendByte(byte) }
            return
        }
        try takeTurn()
        if large != nil { writeLarge() }
        let isFirst = count == 0
        count += bytes.count
        if isFirst, bytes.count >= BytePart.bytesMin, output.pointee.detaches {
            large = bytes
        } else {
            output.pointee.bytes.append(contentsOf: bytes)
        }
    }

    /// More follows, so that it is no part.
    private func writeLarge() {
        output.pointee.bytes.append(contentsOf: large ?? [])
        large = nil
    }

    /// Gives the elements that were written as bare bytes their heads, because one follows that is not a `UInt8`.
    private func leaveByteString() {
        if large != nil { writeLarge() }
        isByteString = false
        guard count > 0 else { return }
        let elements = output.pointee.bytes.array(from: start + 1)
        output.pointee.bytes.truncate(start + 1)
        for element in elements { output.pointee.write(element) }
    }

    /// Writes a whole map entry; if the value throws, the map is as before.
    func encodeEntry<Value: Encodable>(_ value: Value, forKey key: some CodingKey) throws {
        try takeTurn()
        let byteCount = output.pointee.bytes.count
        let entryCount = output.pointee.entries.count
        try beginEntry(key)
        let form = DirectForm(Value.self)
        if form.isSingle { return output.pointee.write(value, as: form) }
        do {
            try encodeIndirectly(value, form: form, key: key, depth: depth + 1)
        } catch {
            output.pointee.truncate(byteCount: byteCount, entryCount: entryCount)
            throw error
        }
    }

    /// Writes a whole array element; if the value throws, the array is as before.
    func encodeElement<Value: Encodable>(_ value: Value) throws {
        let form = DirectForm(Value.self)
        if form == .uint8 { return try appendByte(known(value, as: UInt8.self)) }
        try beginElement()
        if form.isSingle { return output.pointee.write(value, as: form) }
        let byteCount = output.pointee.bytes.count
        let entryCount = output.pointee.entries.count
        do {
            try encodeIndirectly(value, form: form, key: IndexKey(count - 1), depth: depth + 1)
        } catch {
            output.pointee.truncate(byteCount: byteCount, entryCount: entryCount)
            count -= 1
            throw error
        }
    }

    /// Writes a value through its `encode(to:)`.
    ///
    /// - Parameters:
    ///   - form: that of the type, which has none for single values.
    ///   - depth: how many containers enclose the value.
    func encodeIndirectly<Value: Encodable>(
        _ value: Value,
        form: DirectForm,
        key: (any CodingKey)?,
        depth: Int
    ) throws {
        if form == .item {
            try output.pointee.write(known(value, as: CBORValue.self), depth: depth, limit: session.depthMax) {
                invalid($0, key: key)
            }
            return
        }
        guard depth <= session.depthMax && level < session.levelMax else {
            throw invalid("nested deeper than \(session.depthMax) levels", value: value, key: key)
        }
        if form != .none, depth < session.depthMax, output.pointee.bytes.writeArray(value, as: form) { return }
        let traits = session.traits(of: Value.self)
        var child = takeChild()
        child.open(type: Value.self, parent: self, key: key, level: level + 1, depth: depth)
        child.hasIntegerKeys = traits.hasIntegerKeys
        do {
            if traits.mayBeHashOrdered, let unordered = value as? any HashOrdered,
                Swift.type(of: unordered).isHashOrdered
            {
                var elements = CBOREncoder()
                elements.userInfo = session.userInfo
                try unordered.encodeSorted(to: child, with: elements)
            } else {
                try value.encode(to: child)
            }
            try child.close()
        } catch {
            child.abandon()
            output.pointee.turn = level
            if !isKnownUniquelyReferenced(&child) { session.isReusable = false }
            throw error
        }
        output.pointee.turn = level
        if isKnownUniquelyReferenced(&child) { spare = child } else { session.isReusable = false }
    }

    private func takeChild() -> EncoderNode {
        if let child = spare {
            spare = nil
            if child.sink !== sink { child.sink = sink }
            return child
        }
        return EncoderNode(session: session, sink: sink)
    }

    /// Ends the value: afterwards nothing can be written to it.
    func close() throws {
        if let nested {
            try nested.close()
            output.pointee.turn = level
            self.nested = nil
        }
        if let failure = session.failure { throw failure }
        if (content == .map || content == .array) && depth >= session.depthMax {
            throw invalid("nested deeper than \(session.depthMax) levels")
        }
        switch content {
        case .map:
            let owner = type.map { UInt(bitPattern: ObjectIdentifier($0)) } ?? 0
            let values = try detachedValues()
            _ = output.pointee.closeMap(at: start, firstEntry: firstEntry, detached: values, owner: owner)
        case .array:
            try closeArray()
        case .nothing, .single:
            // A type without anything to encode is an empty map.
            output.pointee.writeHead(MajorType.map, 0)
        case .value, .closed:
            break
        }
        abandon()
    }

    private func detachedValues() throws -> [Int: [UInt8]]? {
        guard !detached.isEmpty else { return nil }
        var values: [Int: [UInt8]] = [:]
        for child in detached { values[child.position] = try child.node.closedBytes() }
        return values
    }

    private func closeArray() throws {
        if let large {
            self.large = nil
            output.pointee.bytes.truncate(start)
            if !output.pointee.detach(large) { output.pointee.write(byteString: large) }
            return
        }
        if !detached.isEmpty {
            let elements = output.pointee.bytes.array(from: start + 1)[...]
            output.pointee.bytes.truncate(start + 1)
            var position = 0
            for child in detached {
                let next = child.position - start - 1
                output.pointee.bytes.append(contentsOf: elements[position..<next])
                output.pointee.bytes.append(contentsOf: try child.node.closedBytes())
                position = next
            }
            output.pointee.bytes.append(contentsOf: elements[position...])
        }
        let isBytes = isByteString && count > 0
        output.pointee.closeContainer(isBytes ? MajorType.bytes : MajorType.array, at: start, count: count)
    }

    /// Marks the value just written at `start` as a present `nil` if it is one inside an optional of the given type.
    func markNil(inside type: (any Any.Type)?, at start: Int, depth: Int) throws {
        let bytes = output.pointee.bytes.elements
        guard bytes.last == InitialByte.null, let count = NilMarker.count(bytes, at: start),
            start + count * NilMarker.bytes.count + 1 == bytes.count, isNestedOptional(type)
        else { return }
        guard depth + count < session.depthMax else { throw invalid("nested deeper than \(session.depthMax) levels") }
        output.pointee.bytes.insert(NilMarker.bytes, at: start)
    }

    /// Ends the value without finishing it and lets go of the other nodes.
    func abandon() {
        content = .closed
        level = -1
        nested?.abandon()
        nested = nil
        if !detached.isEmpty { detached = [] }
        if large != nil { large = nil }
        parent = nil
        key = nil
    }

    func invalid(_ message: String, value: Any? = nil, key: (any CodingKey)? = nil) -> EncodingError {
        let path = codingPath + (key.map { [$0] } ?? [])
        let context = EncodingError.Context(codingPath: path, debugDescription: message)
        return EncodingError.invalidValue(value ?? self.type as Any, context)
    }

    func fail(_ message: String) {
        if session.failure == nil { session.failure = invalid(message) }
    }
}
