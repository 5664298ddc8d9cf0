/// Rewrites well-formed input with definite lengths, shortest heads and sorted map keys, and finds repeated keys.
///
/// It runs only on input that a `Scanner` has accepted, which bounds its recursion.
struct Normaliser: ~Copyable {
    private let bytes: Input
    private var position = 0
    private var writer: Writer

    private init(bytes: Input) {
        self.bytes = bytes
        writer = Writer(capacity: bytes.count)
    }

    static func normalised(_ bytes: Input) throws(Malformed) -> [UInt8] {
        var normaliser = Normaliser(bytes: bytes)
        try normaliser.copyItem()
        return normaliser.writer.bytes.array()
    }

    private mutating func copyItem() throws(Malformed) {
        let head = Head.trusted(bytes, at: position)
        let start = position
        position = head.next
        switch head.major {
        case MajorType.unsigned, MajorType.negative:
            writer.writeHead(head.major, head.argument)
        case MajorType.bytes, MajorType.text:
            copyString(head)
        case MajorType.array:
            try copyArray(head)
        case MajorType.map:
            try copyMap(head, at: start)
        case MajorType.tag:
            writer.writeHead(head.major, head.argument)
            try copyItem()
        default:
            if let value = head.float {
                writer.write(value)
            } else {
                writer.bytes.append(contentsOf: bytes[start..<head.next])
            }
        }
    }

    private mutating func copyString(_ head: Head) {
        guard head.isIndefinite else {
            let end = position + Int(head.argument)
            writer.writeHead(head.major, head.argument)
            writer.bytes.append(contentsOf: bytes[position..<end])
            position = end
            return
        }
        let start = writer.openContainer()
        while !takeBreak() {
            let chunk = Head.trusted(bytes, at: position)
            position = chunk.next + Int(chunk.argument)
            writer.bytes.append(contentsOf: bytes[chunk.next..<position])
        }
        writer.closeContainer(head.major, at: start, count: writer.bytes.count - start - 1)
    }

    private mutating func copyArray(_ head: Head) throws(Malformed) {
        let start = writer.openContainer()
        var count = 0
        while head.isIndefinite ? !takeBreak() : count < Int(head.argument) {
            try copyItem()
            count += 1
        }
        writer.closeContainer(MajorType.array, at: start, count: count)
    }

    private mutating func copyMap(_ head: Head, at inputStart: Int) throws(Malformed) {
        let start = writer.openContainer()
        let firstEntry = writer.entries.count
        var count = 0
        while head.isIndefinite ? !takeBreak() : count < Int(head.argument) {
            let entry = writer.beginKey()
            try copyItem()
            writer.endKey(entry)
            try copyItem()
            count += 1
        }
        let hasDuplicates = writer.closeMap(at: start, firstEntry: firstEntry)
        if hasDuplicates { throw Malformed("a map with the same key twice", at: inputStart) }
    }

    private mutating func takeBreak() -> Bool {
        guard bytes[position] == InitialByte.breakStop else { return false }
        position += 1
        return true
    }
}
