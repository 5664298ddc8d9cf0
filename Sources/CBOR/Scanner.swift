/// Checks once that the input is one well-formed item within its limits, before anything is read from it.
///
/// Lengths and counts are compared with the bytes that remain before they are used, and nothing is allocated.
struct Scanner {
    let bytes: Input
    let depthMax: Int
    private var position = 0
    /// False once something was seen that the reading code does not expect: an indefinite length, or a map whose keys
    /// are not in strictly ascending order, so that a key may occur twice. A `Normaliser` then rewrites the input.
    private(set) var isOrdered = true
    /// How many map entries there are in all.
    private(set) var entryCount = 0
    /// How many parts lie beside the input.
    private let partCount: Int

    init(bytes: Input, depthMax: Int, partCount: Int = 0) {
        self.partCount = partCount
        self.bytes = bytes
        self.depthMax = depthMax
    }

    private var remaining: Int { bytes.count - position }

    mutating func scanInput() throws(Malformed) {
        try scanItem(depth: 0)
        guard remaining == 0 else { throw Malformed("\(remaining) bytes follow the item", at: position) }
    }

    private mutating func scanItem(depth: Int) throws(Malformed) {
        let head = try Head.read(bytes, at: position)
        let start = position
        position = head.next
        switch head.major {
        case MajorType.unsigned, MajorType.negative:
            if head.isIndefinite { throw Malformed("an integer cannot have an indefinite length", at: start) }
        case MajorType.bytes, MajorType.text:
            try scanString(head, at: start)
        case MajorType.array:
            try scanArray(head, at: start, depth: depth + 1)
        case MajorType.map:
            try scanMap(head, at: start, depth: depth + 1)
        case MajorType.tag:
            try scanTag(head, at: start, depth: depth + 1)
        default:
            try scanSimple(head, at: start)
        }
    }

    private mutating func scanString(_ head: Head, at start: Int) throws(Malformed) {
        guard head.isIndefinite else { return try scanChunk(head, at: start) }
        isOrdered = false
        while try !takeBreak() {
            let chunk = try Head.read(bytes, at: position)
            guard chunk.major == head.major && !chunk.isIndefinite else {
                throw Malformed("a chunk of another kind inside a string", at: position)
            }
            let chunkStart = position
            position = chunk.next
            try scanChunk(chunk, at: chunkStart)
        }
    }

    private mutating func scanChunk(_ head: Head, at start: Int) throws(Malformed) {
        guard head.argument <= UInt64(remaining) else {
            throw Malformed("a string of \(head.argument) bytes, but \(remaining) remain", at: start)
        }
        let end = position + Int(head.argument)
        if head.major == MajorType.text && !bytes[position..<end].isText {
            throw Malformed("a text string that is not UTF-8", at: start)
        }
        position = end
    }

    private mutating func scanArray(_ head: Head, at start: Int, depth: Int) throws(Malformed) {
        try checkDepth(depth, at: start)
        if head.isIndefinite {
            isOrdered = false
            while try !takeBreak() { try scanItem(depth: depth) }
            return
        }
        guard head.argument <= UInt64(remaining) else {
            throw Malformed("an array of \(head.argument) elements, but \(remaining) bytes remain", at: start)
        }
        for _ in 0..<Int(head.argument) { try scanItem(depth: depth) }
    }

    private mutating func scanMap(_ head: Head, at start: Int, depth: Int) throws(Malformed) {
        try checkDepth(depth, at: start)
        if head.isIndefinite {
            isOrdered = false
            while try !takeBreak() {
                entryCount += 1
                try scanItem(depth: depth)
                try scanItem(depth: depth)
            }
            return
        }
        guard head.argument <= UInt64(remaining / 2) else {
            throw Malformed("a map of \(head.argument) entries, but \(remaining) bytes remain", at: start)
        }
        entryCount += Int(head.argument)
        var previous = 0..<0
        var previousWord: UInt64 = 0
        for _ in 0..<Int(head.argument) {
            let keyStart = position
            try scanItem(depth: depth)
            if isOrdered {
                let key = keyStart..<position
                let word = bytes.word(key)
                isOrdered =
                    isShortKey(key) && (word > previousWord || word == previousWord && isAscending(previous, key))
                previous = key
                previousWord = word
            }
            try scanItem(depth: depth)
        }
    }

    /// True if the key is an integer or string in its shortest form.
    @inline(__always)
    private func isShortKey(_ key: Range<Int>) -> Bool {
        let initial = bytes[key.lowerBound]
        if initial >> 5 <= MajorType.text && initial & 0x1f < 24 { return true }
        let head = Head.trusted(bytes, at: key.lowerBound)
        return head.major <= MajorType.text && head.isShortest && !head.isIndefinite
    }

    /// Whether two keys, of which the first is empty if there was none, are in strictly ascending order.
    private func isAscending(_ previous: Range<Int>, _ key: Range<Int>) -> Bool {
        bytes[previous].order(bytes[key]) < 0
    }

    private mutating func scanTag(_ head: Head, at start: Int, depth: Int) throws(Malformed) {
        if head.isIndefinite { throw Malformed("a tag cannot have an indefinite length", at: start) }
        let isBignum = head.argument == TagNumber.positiveBignum || head.argument == TagNumber.negativeBignum
        if isBignum && position < bytes.count && bytes[position] >> 5 == MajorType.bytes {
            return try scanItem(depth: depth - 1)
        }
        try checkDepth(depth, at: start)
        try scanItem(depth: depth)
    }

    private mutating func scanSimple(_ head: Head, at start: Int) throws(Malformed) {
        switch head.additional {
        case 20...23, 25...27: return
        case 24 where isPart(head): return
        case 31: throw Malformed("a break outside of an indefinite-length item", at: start)
        default: throw Malformed("unknown simple value \(head.argument)", at: start)
        }
    }

    @inline(never)
    private func isPart(_ head: Head) -> Bool { head.part.map { $0 < partCount } ?? false }

    private mutating func takeBreak() throws(Malformed) -> Bool {
        guard remaining > 0 else { throw Malformed("the input ends inside an indefinite-length item", at: position) }
        guard bytes[position] == InitialByte.breakStop else { return false }
        position += 1
        return true
    }

    private func checkDepth(_ depth: Int, at start: Int) throws(Malformed) {
        guard depth <= depthMax else { throw Malformed("nested deeper than \(depthMax) levels", at: start) }
    }
}
