/// What all nodes of one decoding share: the checked bytes and the budget, and how to read single values from them.
///
/// Positions are those of items in bytes that a `Scanner` has accepted and that hold no indefinite lengths.
/// Unless said otherwise, tags are passed over to their content.
final class DecodingSession {
    // SAFETY: these are only read and assigned, and what is assigned runs no code of the decoded types.
    @exclusivity(unchecked) private(set) var bytes = Input.empty
    /// Byte strings that lie beside the bytes.
    @exclusivity(unchecked) private(set) var parts: [BytePart] = []
    @exclusivity(unchecked) private(set) var hasParts = false
    @exclusivity(unchecked) private(set) var userInfo: [CodingUserInfoKey: any Sendable] = [:]
    /// How many values may be open inside one another; values without a container of their own count too.
    @exclusivity(unchecked) private(set) var levelMax = 0
    @exclusivity(unchecked) private var budget = 0
    /// False once a node may be known to someone who could use it after the decoding.
    @exclusivity(unchecked) var isReusable = true
    /// What `bytes` refers to, if it is not the caller's.
    @exclusivity(unchecked) private var copy: InputCopy?
    @exclusivity(unchecked) private var items: DecodingSession?

    func begin(_ bytes: Input, userInfo: [CodingUserInfoKey: any Sendable], depthMax: Int, budget: Int) {
        self.bytes = bytes
        if !userInfo.isEmpty { self.userInfo = userInfo }
        self.budget = budget
        levelMax = depthMax * 2 + 16
    }

    /// Adds byte strings that lie beside the bytes.
    func add(_ parts: [BytePart]) {
        self.parts = parts
        hasParts = true
    }

    /// Goes on with a copy of bytes, those of the input itself or others.
    func replaceBytes(_ bytes: UnsafeBufferPointer<UInt8>) {
        let copy = InputCopy(bytes)
        self.bytes = copy.input
        self.copy = copy
    }

    /// Lets go of everything that belongs to one decoding.
    func end() {
        bytes = .empty
        if hasParts {
            parts = []
            hasParts = false
        }
        if copy != nil { copy = nil }
        if items != nil { items = nil }
        if !userInfo.isEmpty { userInfo = [:] }
    }

    /// A session whose item at position 2n is the integer n, for reading the bytes of a byte string as elements.
    var byteItems: DecodingSession {
        if let items { return items }
        let items = DecodingSession()
        items.begin(.empty, userInfo: userInfo, depthMax: (levelMax - 16) / 2, budget: .max)
        (UInt8.min...UInt8.max).flatMap { [UInt8(24), $0] }.withUnsafeBufferPointer { items.replaceBytes($0) }
        self.items = items
        return items
    }

    /// Takes from the budget what is about to be allocated.
    @inline(__always)
    func charge(_ byteCount: Int, _ path: @autoclosure () -> [any CodingKey]) throws {
        guard byteCount <= budget else { throw corrupted("decoding would exceed its allocation budget", path()) }
        budget -= byteCount
    }

    // Finding items.

    /// Where the item at `position` begins once its tags are passed over.
    @inline(__always)
    func content(_ position: Int) -> Int {
        var position = position
        while bytes[position] >> 5 == MajorType.tag { position = Head.trusted(bytes, at: position).next }
        return position
    }

    @inline(__always)
    func contentHead(_ position: Int) -> Head {
        Head.trusted(bytes, at: content(position))
    }

    /// Where the item after the one at `position` begins.
    func skip(_ position: Int) -> Int {
        var position = position
        var pending = 1
        while pending > 0 {
            let head = Head.trusted(bytes, at: position)
            position = head.next
            pending -= 1
            switch head.major {
            case MajorType.bytes, MajorType.text: position += Int(head.argument)
            case MajorType.array: pending += Int(head.argument)
            case MajorType.map: pending += 2 * Int(head.argument)
            case MajorType.tag: pending += 1
            default: break
            }
        }
        return position
    }

    // Nil.

    /// True for null and for undefined.
    @inline(__always)
    func isNull(_ position: Int) -> Bool {
        let initial = bytes[content(position)]
        return initial == InitialByte.null || initial == InitialByte.undefined
    }

    /// If the item is a `nil` that is present inside an optional of the given type, where that `nil` is.
    func presentNil(at position: Int, in type: (any Any.Type)?) -> Int? {
        guard bytes[position] == NilMarker.bytes[0], let count = NilMarker.count(bytes.all, at: position), count > 0,
            isNestedOptional(type)
        else { return nil }
        return position + NilMarker.bytes.count
    }

    // Values.

    func boolean(at position: Int, _ path: @autoclosure () -> [any CodingKey]) throws -> Bool {
        switch bytes[content(position)] {
        case InitialByte.falseValue: return false
        case InitialByte.trueValue: return true
        default: throw mismatch(Bool.self, at: position, path())
        }
    }

    @inline(__always)
    func string(at position: Int, _ path: @autoclosure () -> [any CodingKey]) throws -> String {
        let head = contentHead(position)
        guard head.major == MajorType.text else { throw mismatch(String.self, at: position, path()) }
        try charge(Int(head.argument), path())
        return bytes.text(head.next..<head.next + Int(head.argument))
    }

    /// The bytes of a byte string, or of an array of integers from 0 to 255.
    func byteString(at position: Int, _ path: @autoclosure () -> [any CodingKey]) throws -> [UInt8] {
        let head = contentHead(position)
        let count = Int(truncatingIfNeeded: head.argument)
        switch head.major {
        case MajorType.bytes:
            try charge(count, path())
            return Array(bytes[head.next..<head.next + count])
        case MajorType.array:
            try charge(count, path())
            var elements: [UInt8] = []
            elements.reserveCapacity(count)
            var element = head.next
            for index in 0..<count {
                elements.append(try integer(at: element, path() + [IndexKey(index)]))
                element = skip(element)
            }
            return elements
        default:
            if let number = head.part { return try array(ofPart: number, path()) }
            throw mismatch([UInt8].self, at: position, path())
        }
    }

    /// A number from a float, or from an integer that a `Double` can hold exactly.
    func double(at position: Int, _ path: @autoclosure () -> [any CodingKey]) throws -> Double {
        let head = contentHead(position)
        if let value = head.float { return value }
        let exact: Double?
        switch head.major {
        case MajorType.unsigned: exact = Double(exactly: head.argument)
        case MajorType.negative: exact = Double(exactly: -1 - Int128(head.argument))
        default: throw mismatch(Double.self, at: position, path())
        }
        guard let exact else { throw outOfRange(Double.self, path()) }
        return exact
    }

    /// As `double`, rounded to the nearest `Float`; a finite number that would become infinite is refused.
    func float(at position: Int, _ path: @autoclosure () -> [any CodingKey]) throws -> Float {
        let wide = try double(at: position, path())
        let value = Float(wide)
        guard value.isInfinite == wide.isInfinite else { throw outOfRange(Float.self, path()) }
        return value
    }

    @inline(__always)
    func integer<Value: FixedWidthInteger>(
        at position: Int,
        _ path: @autoclosure () -> [any CodingKey]
    ) throws -> Value {
        let head = Head.trusted(bytes, at: position)
        if head.major == MajorType.unsigned {
            if let value = Value(exactly: head.argument) { return value }
            throw outOfRange(Value.self, path())
        }
        if head.major == MajorType.negative {
            if let value = Value(exactly: -1 - Int128(head.argument)) { return value }
            throw outOfRange(Value.self, path())
        }
        return try taggedInteger(at: position, path())
    }

    /// An integer behind tags; tags 2 and 3 on a byte string make it a bignum.
    private func taggedInteger<Value: FixedWidthInteger>(
        at position: Int,
        _ path: @autoclosure () -> [any CodingKey]
    ) throws -> Value {
        let head = Head.trusted(bytes, at: position)
        guard head.major == MajorType.tag else { throw mismatch(Value.self, at: position, path()) }
        let isBignum = head.argument == TagNumber.positiveBignum || head.argument == TagNumber.negativeBignum
        guard isBignum && bytes[head.next] >> 5 == MajorType.bytes else {
            return try integer(at: content(position), path())
        }
        let string = Head.trusted(bytes, at: head.next)
        let digits = bytes[string.next..<string.next + Int(string.argument)].drop { $0 == 0 }
        guard digits.count <= 16 else { throw outOfRange(Value.self, path()) }
        let magnitude = digits.reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
        if head.argument == TagNumber.positiveBignum, let value = Value(exactly: magnitude) { return value }
        if head.argument == TagNumber.negativeBignum, let positive = Int128(exactly: magnitude),
            let value = Value(exactly: -1 - positive)
        {
            return value
        }
        throw outOfRange(Value.self, path())
    }
}
