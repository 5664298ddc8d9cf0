/// Where an entry of a map lies. Entries whose keys are neither text nor integers that fit `Int` have none.
struct MapSlot: BitwiseCopyable {
    /// The first bytes of the encoded key, as in `KeyText`.
    var word: UInt64
    /// Where the key's text begins; for an integer key its rank in the order of encoded integers.
    var start: Int
    /// The length of the key's text.
    var length: Int
    /// Where the value begins.
    var value: Int

    var isText: Bool { word >> 61 == UInt64(MajorType.text) }

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
    // SAFETY: no access to the slots runs code of the decoded types, so accesses cannot overlap; the same holds for
    // the numbers below, which are only read and assigned.
    @exclusivity(unchecked) private(set) var slots = Memory<MapSlot>(capacity: 0)
    @exclusivity(unchecked) private var textStart = 0
    @exclusivity(unchecked) private var isIndexed = false
    /// How many keys have been looked up.
    @exclusivity(unchecked) private var lookups = 0
    /// For each lookup the slot that was found by the same one in the last map: types ask for their keys in one order.
    @exclusivity(unchecked) private var guesses = Memory<UInt32>(capacity: 0)
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
        guard head.major == MajorType.array || head.major == MajorType.bytes else {
            guard let number = head.part else { throw session.mismatch([Any].self, at: position, codingPath) }
            return UnkeyedReader(node: self, part: try session.array(ofPart: number, codingPath))
        }
        return UnkeyedReader(node: self, head: head)
    }

    func singleValueContainer() -> any SingleValueDecodingContainer {
        SingleValueReader(node: self)
    }

    /// Decodes a value through its `init(from:)`.
    ///
    /// - Parameters:
    ///   - form: that of the type, which has none for single values.
    ///   - depth: how many containers enclose the value.
    func decodeIndirectly<Value: Decodable>(
        _ type: Value.Type,
        form: DirectForm,
        at position: Int,
        key: (any CodingKey)?,
        depth: Int
    ) throws -> Value {
        if session.hasParts, let data = try session.data(type, at: position, codingPath) { return data }
        try checkLevel(key)
        if form != .none, session.contentHead(position).major == MajorType.array {
            return try session.decodeArray(type, as: form, at: position, codingPath + (key.map { [$0] } ?? []))
        }
        var child = takeChild()
        child.open(type: type, position: position, parent: self, key: key, level: level + 1, depth: depth)
        do {
            let value = try Value(from: child)
            takeBack(&child)
            return value
        } catch {
            takeBack(&child)
            throw error
        }
    }

    /// Keeps a child that is done, unless someone else still has it.
    private func takeBack(_ child: inout DecoderNode) {
        guard isKnownUniquelyReferenced(&child) else {
            session.isReusable = false
            return
        }
        child.parent = nil
        child.key = nil
        // The index of a large map is not kept.
        if child.slots.capacity <= 4096 { spare = child }
    }

    private func takeChild() -> DecoderNode {
        guard let child = spare else { return DecoderNode(session: session) }
        spare = nil
        return child
    }

    /// The decoder of a nested container or of a superclass's part.
    func openNested(at position: Int, key: any CodingKey) throws -> DecoderNode {
        try checkLevel(key)
        session.isReusable = false
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
        slots.truncate(0)
        slots.reserve(count)
        textStart = 0
        lookups = 0
        var next = head.next
        for _ in 0..<count {
            let key = Head.trusted(session.bytes, at: next)
            if key.major == MajorType.text {
                let length = Int(key.argument)
                let end = key.next + length
                let word = session.bytes.word(next..<end)
                slots.append(MapSlot(word: word, start: key.next, length: length, value: end))
                next = session.skip(end)
                continue
            }
            let value = session.skip(next)
            if key.major <= MajorType.negative, let positive = Int(exactly: key.argument) {
                let rank = MapSlot.rank(key.major == MajorType.unsigned ? positive : ~positive)
                slots.append(MapSlot(word: 0, start: Int(bitPattern: rank), length: 0, value: value))
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

    @inline(__always)
    private func findText(_ name: String) -> Int? {
        let found = name.utf8.withContiguousStorageIfAvailable { findText(KeyText($0)) }
        return found ?? findSlowly(name)
    }

    /// Looks up a name that is not stored as UTF-8.
    @inline(never)
    private func findSlowly(_ name: String) -> Int? {
        Array(name.utf8).withUnsafeBufferPointer { findText(KeyText($0)) }
    }

    private func findText(_ key: KeyText) -> Int? {
        let lookup = lookups
        lookups += 1
        if lookup < guesses.count {
            let guess = Int(guesses[lookup])
            if guess < slots.count && key.order(slots[guess], session.bytes) == 0 { return slots[guess].value }
        }
        var lower = textStart
        var upper = slots.count
        while lower < upper {
            let middle = (lower + upper) / 2
            let order = key.order(slots[middle], session.bytes)
            if order == 0 {
                remember(middle, lookup)
                return slots[middle].value
            }
            if order < 0 { lower = middle + 1 } else { upper = middle }
        }
        return nil
    }

    /// Keeps a slot as the guess for a lookup, of which there are no more than in types that people write.
    private func remember(_ slot: Int, _ lookup: Int) {
        guard lookup < 256, let guess = UInt32(exactly: slot) else { return }
        while guesses.count <= lookup { guesses.append(guess) }
        guesses[lookup] = guess
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
}
