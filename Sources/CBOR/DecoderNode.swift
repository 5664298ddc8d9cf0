/// Where an entry of a map lies. Entries whose keys are neither text nor integers that fit `Int` have none.
struct MapSlot {
    var isText: Bool
    /// Where the key's text begins; for an integer key its rank in the order of encoded integers.
    var start: Int
    /// The length of the key's text.
    var length: Int
    /// Where the value begins.
    var value: Int

    /// Encoded integers are in this order: from 0 up, then from -1 down.
    static func rank(_ integer: Int) -> UInt { integer >= 0 ? UInt(integer) : 1 << 63 | UInt(~integer) }

    var integer: Int {
        let rank = UInt(bitPattern: start)
        return rank >> 63 == 0 ? Int(rank) : ~Int(rank & (1 << 63 - 1))
    }
}

/// The place of one value: what its `init(from:)` sees as the decoder.
final class DecoderNode: Decoder {
    let session: DecodingSession
    var parent: DecoderNode?
    var key: (any CodingKey)?
    /// The type of the value in this place, if it is known.
    var type: (any Any.Type)?
    var position = 0
    /// How many open values enclose this place.
    var level = 0
    /// How many arrays and maps enclose this place.
    var depth = 0
    /// The entries of the map in this place, ordered by key: integers first.
    // SAFETY: no access to the slots runs code of the decoded types, so accesses cannot overlap.
    @exclusivity(unchecked) private(set) var slots: [MapSlot] = []
    private var textStart = 0
    private var isIndexed = false
    /// The slot after the one found last, which is often the one wanted next.
    // SAFETY: an integer that is only read and assigned.
    @exclusivity(unchecked) private var hint = 0
    /// A closed child, kept to be used again.
    private var spare: DecoderNode?

    init(session: DecodingSession) {
        self.session = session
    }

    var userInfo: [CodingUserInfoKey: Any] { session.userInfo }

    var codingPath: [any CodingKey] {
        var path: [any CodingKey] = []
        var node: DecoderNode? = self
        while let current = node {
            if let key = current.key { path.append(key) }
            node = current.parent
        }
        return path.reversed()
    }

    func path(_ key: some CodingKey) -> [any CodingKey] { codingPath + [key] }

    func open(
        type: (any Any.Type)?,
        position: Int,
        parent: DecoderNode?,
        key: (any CodingKey)?,
        level: Int,
        depth: Int
    ) {
        self.type = type
        self.position = position
        self.parent = parent
        self.key = key
        self.level = level
        self.depth = depth
        isIndexed = false
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        if !isIndexed { try indexMap() }
        return KeyedDecodingContainer(KeyedReader<Key>(node: self))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        let head = session.contentHead(position)
        guard head.major == MajorType.array || head.major == MajorType.bytes || head.part != nil else {
            throw session.mismatch([Any].self, at: position, codingPath)
        }
        return UnkeyedReader(node: self, head: head, part: try session.part(at: position)?.array())
    }

    func singleValueContainer() -> any SingleValueDecodingContainer {
        SingleValueReader(node: self)
    }

    /// Decodes a value through its `init(from:)`.
    ///
    /// - Parameter depth: how many containers enclose the value.
    func decodeIndirectly<Value: Decodable>(
        _ type: Value.Type,
        at position: Int,
        key: (any CodingKey)?,
        depth: Int
    ) throws -> Value {
        if !session.parts.isEmpty, let data = try session.data(type, at: position) { return data }
        try checkLevel(key)
        var child = spare ?? DecoderNode(session: session)
        spare = nil
        child.open(type: type, position: position, parent: self, key: key, level: level + 1, depth: depth)
        let value = try Value(from: child)
        if isKnownUniquelyReferenced(&child) {
            child.parent = nil
            child.key = nil
            spare = child
        }
        return value
    }

    /// The decoder of a nested container or of a superclass's part.
    func openNested(at position: Int, key: any CodingKey) throws -> DecoderNode {
        try checkLevel(key)
        let child = DecoderNode(session: session)
        child.open(type: nil, position: position, parent: self, key: key, level: level + 1, depth: depth + 1)
        return child
    }

    private func checkLevel(_ key: (any CodingKey)?) throws {
        guard level < session.levelMax else {
            let path = codingPath + (key.map { [$0] } ?? [])
            throw session.corrupted("values are open more than \(session.levelMax) levels deep", path)
        }
    }
}

// The index of a map.
extension DecoderNode {
    private func indexMap() throws {
        let head = session.contentHead(position)
        guard head.major == MajorType.map else {
            throw session.mismatch([String: Any].self, at: position, codingPath)
        }
        let count = Int(head.argument)
        try session.charge(count * MemoryLayout<MapSlot>.stride, codingPath)
        slots.removeAll(keepingCapacity: true)
        slots.reserveCapacity(count)
        textStart = 0
        hint = 0
        var next = head.next
        for _ in 0..<count {
            let key = Head.trusted(session.bytes, at: next)
            if key.major == MajorType.text {
                let end = key.next + Int(key.argument)
                slots.append(MapSlot(isText: true, start: key.next, length: Int(key.argument), value: end))
                next = session.skip(end)
                continue
            }
            let value = session.skip(next)
            if key.major <= MajorType.negative, let positive = Int(exactly: key.argument) {
                let rank = MapSlot.rank(key.major == MajorType.unsigned ? positive : ~positive)
                slots.append(MapSlot(isText: false, start: Int(bitPattern: rank), length: 0, value: value))
                textStart = slots.count
            }
            next = session.skip(value)
        }
        isIndexed = true
    }

    /// Where the value of a key is; text keys are looked up by the name, and if there is none by the integer.
    func find(_ key: some CodingKey) -> Int? {
        if let position = findText(key.stringValue) { return position }
        guard textStart > 0, let integer = key.intValue else { return nil }
        return findInteger(integer)
    }

    func position(of key: some CodingKey) throws -> Int {
        guard let position = find(key) else {
            let context = DecodingError.Context(
                codingPath: codingPath,
                debugDescription: "there is no value for the key \"\(key.stringValue)\""
            )
            throw DecodingError.keyNotFound(key, context)
        }
        return position
    }

    /// Where the value of a key is, unless it is missing or null.
    func presentPosition(of key: some CodingKey) -> Int? {
        guard let position = find(key), !session.isNull(position) else { return nil }
        return position
    }

    private func findText(_ name: String) -> Int? {
        let text = name.utf8.span
        if hint < slots.count && slots[hint].isText && order(hint, text) == 0 { return take(hint) }
        var lower = textStart
        var upper = slots.count
        while lower < upper {
            let middle = (lower + upper) / 2
            let order = order(middle, text)
            if order == 0 { return take(middle) }
            if order < 0 { lower = middle + 1 } else { upper = middle }
        }
        return nil
    }

    private func findInteger(_ integer: Int) -> Int? {
        let rank = MapSlot.rank(integer)
        var lower = 0
        var upper = textStart
        while lower < upper {
            let middle = (lower + upper) / 2
            let found = UInt(bitPattern: slots[middle].start)
            if found == rank { return slots[middle].value }
            if found < rank { lower = middle + 1 } else { upper = middle }
        }
        return nil
    }

    private func take(_ index: Int) -> Int {
        hint = index + 1
        return slots[index].value
    }

    /// Compares the key of a slot with a name in the order of encoded keys: shorter ones first.
    @inline(__always)
    private func order(_ index: Int, _ name: Span<UInt8>) -> Int {
        let slot = slots[index]
        if slot.length != name.count { return slot.length - name.count }
        var position = slot.start
        for offset in name.indices {
            let difference = Int(session.bytes[position]) - Int(name[offset])
            if difference != 0 { return difference }
            position += 1
        }
        return 0
    }
}
