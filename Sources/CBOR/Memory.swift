/// A growing row of trivial elements, which costs neither reference counting nor checks for uniqueness.
///
/// Behind the last element there is always room for `slack` more, whose content has no meaning. Whoever copies or
/// compares short pieces may read and write there.
struct Memory<Element: BitwiseCopyable>: ~Copyable {
    /// How many elements behind the last one may be touched.
    static var slack: Int { 32 }

    // SAFETY: the memory has `capacity` elements, is freed by `deinit` alone, and no pointer into it is kept while it
    // can grow.
    private(set) var base: UnsafeMutablePointer<Element>
    private(set) var count = 0
    private(set) var capacity: Int
    private let isOwned: Bool

    /// Makes memory with some room; if it is none, nothing is allocated before the first element.
    init(capacity: Int) {
        self.capacity = capacity > 0 ? capacity + Self.slack : 0
        base = capacity > 0 ? .allocate(capacity: self.capacity) : UnsafeMutablePointer(bitPattern: 64)!
        isOwned = true
    }

    /// Fills memory of someone else, which must outlive this and be large enough for all that is written. It has no
    /// slack, so nothing may be read from it or copied to it in blocks.
    init(filling buffer: UnsafeMutableBufferPointer<Element>) {
        capacity = buffer.count + Self.slack
        base = buffer.baseAddress!
        isOwned = false
    }

    deinit {
        if isOwned && capacity > 0 { base.deallocate() }
    }

    subscript(index: Int) -> Element {
        @inline(__always) get {
            assert(index >= 0 && index < count)
            return base[index]
        }
        @inline(__always) set {
            assert(index >= 0 && index < count)
            base[index] = newValue
        }
    }

    /// All elements, for as long as nothing is written.
    var elements: UnsafeBufferPointer<Element> { UnsafeBufferPointer(start: base, count: count) }

    /// The elements from an index to the end.
    borrowing func array(from start: Int = 0) -> [Element] {
        precondition(start <= count)
        return Array(UnsafeBufferPointer(start: base + start, count: count - start))
    }

    /// Makes sure that `added` elements and the slack fit behind the last one.
    @inline(__always)
    mutating func reserve(_ added: Int) {
        if capacity - count < added + Self.slack { grow(added) }
    }

    @inline(never)
    private mutating func grow(_ added: Int) {
        precondition(isOwned && added >= 0, "what is written does not fit the memory that was made for it")
        let wanted = max(count + added + Self.slack, capacity * 2)
        let larger = UnsafeMutablePointer<Element>.allocate(capacity: wanted)
        larger.update(from: base, count: count)
        if capacity > 0 { base.deallocate() }
        base = larger
        capacity = wanted
    }

    @inline(__always)
    mutating func append(_ element: Element) {
        reserve(1)
        base[count] = element
        count += 1
    }

    @inline(__always)
    mutating func append(contentsOf elements: UnsafeBufferPointer<Element>) {
        reserve(elements.count)
        if let source = elements.baseAddress { (base + count).update(from: source, count: elements.count) }
        count += elements.count
    }

    mutating func append(contentsOf elements: ArraySlice<Element>) {
        elements.withUnsafeBufferPointer { append(contentsOf: $0) }
    }

    mutating func append(contentsOf elements: [Element]) {
        elements.withUnsafeBufferPointer { append(contentsOf: $0) }
    }

    /// Counts elements that were written to reserved room behind the last one.
    @inline(__always)
    mutating func extend(by added: Int) {
        assert(added >= 0 && added <= capacity - count)
        count += added
    }

    /// Drops all elements but the first ones.
    @inline(__always)
    mutating func truncate(_ kept: Int) {
        precondition(kept >= 0 && kept <= count)
        count = kept
    }

    /// Moves the elements from an index on, to leave a gap with any content before them.
    mutating func openGap(at index: Int, count added: Int) {
        precondition(index >= 0 && index <= count)
        reserve(added)
        (base + index + added).update(from: base + index, count: count - index)
        count += added
    }

    mutating func insert(_ elements: [Element], at index: Int) {
        openGap(at: index, count: elements.count)
        for (offset, element) in elements.enumerated() { self[index + offset] = element }
    }
}

extension Memory<UInt8> {
    /// Up to eight bytes from an index on, the first of them highest, so that numbers compare as the bytes do.
    @inline(__always)
    borrowing func word(at index: Int) -> UInt64 {
        assert(index >= 0 && index <= count)
        return UInt64(bigEndian: UnsafeRawPointer(base + index).loadUnaligned(as: UInt64.self))
    }

    /// Appends a piece of other memory; short pieces are copied in whole blocks, into the slack.
    @inline(__always)
    mutating func append(copying other: borrowing Memory<UInt8>, from start: Int, to end: Int) {
        assert(start >= 0 && start <= end && end <= other.count)
        let length = end - start
        reserve(length)
        let target = UnsafeMutableRawPointer(base + count)
        let source = UnsafeRawPointer(other.base + start)
        if length == 0 { return }
        if length <= 32 {
            target.storeBytes(of: source.loadUnaligned(as: SIMD32<UInt8>.self), as: SIMD32<UInt8>.self)
        } else {
            target.copyMemory(from: source, byteCount: length)
        }
        count += length
    }
}
