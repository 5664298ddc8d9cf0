/// Where the parts of one map entry lie in a `Writer`'s bytes; the end is known when the map is closed.
struct MapEntry {
    var keyStart: Int
    var valueStart: Int
    var end: Int
}

/// Appends deterministic CBOR to one buffer.
///
/// Containers are opened with a placeholder of one byte, which is widened when the count turns out not to fit.
/// Map entries are recorded on one stack while the map is open and put in order when it is closed.
struct Writer {
    var bytes: [UInt8]
    var entries: [MapEntry] = []
    /// The large byte strings that lie beside the bytes; nil when all are to be written.
    var parts: [BytePart]?
    private var scratch: [UInt8] = []

    init(bytes: [UInt8] = []) {
        self.bytes = bytes
    }

    /// Makes room for a small message.
    mutating func reserve() {
        bytes.reserveCapacity(bytes.count + 120)
        entries.reserveCapacity(20)
    }

    @inline(__always)
    mutating func writeHead(_ major: UInt8, _ argument: UInt64) {
        let initial = major << 5
        if argument < 24 {
            bytes.append(initial | UInt8(truncatingIfNeeded: argument))
        } else if argument <= 0xff {
            bytes.append(initial | 24)
            bytes.append(UInt8(truncatingIfNeeded: argument))
        } else {
            writeWideHead(initial, argument)
        }
    }

    private mutating func writeWideHead(_ initial: UInt8, _ argument: UInt64) {
        if argument <= 0xffff {
            bytes.append(initial | 25)
            writeBigEndian(argument, width: 2)
        } else if argument <= 0xffff_ffff {
            bytes.append(initial | 26)
            writeBigEndian(argument, width: 4)
        } else {
            bytes.append(initial | 27)
            writeBigEndian(argument, width: 8)
        }
    }

    private mutating func writeBigEndian(_ value: UInt64, width: Int) {
        for index in stride(from: width - 1, through: 0, by: -1) {
            bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(index * 8)))
        }
    }

    mutating func writeNull() {
        bytes.append(InitialByte.null)
    }

    mutating func write(_ value: Bool) {
        bytes.append(value ? InitialByte.trueValue : InitialByte.falseValue)
    }

    @inline(__always)
    mutating func write(_ value: String) {
        let text = value.utf8
        writeHead(MajorType.text, UInt64(text.count))
        bytes.append(contentsOf: text)
    }

    mutating func write(byteString value: some Collection<UInt8>) {
        writeHead(MajorType.bytes, UInt64(value.count))
        bytes.append(contentsOf: value)
    }

    /// Writes an integer of any width; magnitudes beyond 64 bits become a bignum.
    @inline(__always)
    mutating func write(_ value: some FixedWidthInteger) {
        let isNegative = value < 0
        let argument = isNegative ? ~value : value
        if let small = UInt64(exactly: argument) {
            writeHead(isNegative ? MajorType.negative : MajorType.unsigned, small)
        } else {
            writeBignum(UInt128(truncatingIfNeeded: argument), isNegative: isNegative)
        }
    }

    private mutating func writeBignum(_ argument: UInt128, isNegative: Bool) {
        writeHead(MajorType.tag, isNegative ? TagNumber.negativeBignum : TagNumber.positiveBignum)
        let width = (128 - argument.leadingZeroBitCount + 7) / 8
        writeHead(MajorType.bytes, UInt64(width))
        for index in stride(from: width - 1, through: 0, by: -1) {
            bytes.append(UInt8(truncatingIfNeeded: argument >> UInt128(index * 8)))
        }
    }

    /// Writes the shortest of the three float formats that keeps the value; every NaN becomes 0xf97e00.
    mutating func write(_ value: Double) {
        if value.isNaN {
            bytes.append(InitialByte.half)
            writeBigEndian(0x7e00, width: 2)
            return
        }
        let narrow = Float(value)
        guard Double(narrow) == value else {
            bytes.append(InitialByte.double)
            writeBigEndian(value.bitPattern, width: 8)
            return
        }
        if let half = HalfPrecision.exactBits(narrow) {
            bytes.append(InitialByte.half)
            writeBigEndian(UInt64(half), width: 2)
        } else {
            bytes.append(InitialByte.single)
            writeBigEndian(UInt64(narrow.bitPattern), width: 4)
        }
    }
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
        if count < 24 {
            bytes[start] = major << 5 | UInt8(truncatingIfNeeded: count)
        } else {
            var head = Writer()
            head.writeHead(major, UInt64(count))
            bytes.replaceSubrange(start...start, with: head.bytes)
        }
    }

    /// Starts an entry of the innermost open map by writing its key; its value is written next.
    @inline(__always)
    mutating func beginEntry<Failure: Error>(_ writeKey: (inout Writer) throws(Failure) -> Void) throws(Failure) {
        let keyStart = bytes.count
        let index = entries.count
        entries.append(MapEntry(keyStart: keyStart, valueStart: keyStart, end: keyStart))
        try writeKey(&self)
        entries[index].valueStart = bytes.count
    }

    /// Undoes everything written since the buffer had `byteCount` bytes and the stack `entryCount` entries.
    mutating func truncate(byteCount: Int, entryCount: Int) {
        bytes.removeLast(bytes.count - byteCount)
        entries.removeLast(entries.count - entryCount)
    }

    /// Puts the entries of the map opened at `start` in bytewise order of their keys and writes its head.
    ///
    /// - Parameter detached: values that were written elsewhere, by the start of their key.
    /// - Returns: true if a key occurred more than once; the last of the equal entries was kept.
    mutating func closeMap(at start: Int, firstEntry: Int, detached: [Int: [UInt8]] = [:]) -> Bool {
        let entryCount = entries.count - firstEntry
        var isAscending = true
        for index in firstEntry..<entries.count {
            let isLast = index + 1 == entries.count
            entries[index].end = isLast ? bytes.count : entries[index + 1].keyStart
            if index > firstEntry && isAscending {
                isAscending = keyOrder(entries[index - 1], entries[index]) < 0
            }
        }
        var keptCount = entryCount
        if !isAscending || !detached.isEmpty {
            sortEntries(from: firstEntry)
            keptCount = rewriteEntries(at: start, firstEntry: firstEntry, detached: detached)
        }
        entries.removeLast(entryCount)
        closeContainer(MajorType.map, at: start, count: keptCount)
        return keptCount != entryCount
    }

    /// Writes the sorted entries one after the other and returns how many were kept.
    private mutating func rewriteEntries(at start: Int, firstEntry: Int, detached: [Int: [UInt8]]) -> Int {
        scratch.removeAll(keepingCapacity: true)
        scratch.reserveCapacity(bytes.count - start)
        var keptCount = 0
        for index in firstEntry..<entries.count {
            let entry = entries[index]
            if index + 1 < entries.count && keyOrder(entry, entries[index + 1]) == 0 { continue }
            keptCount += 1
            scratch.append(contentsOf: bytes[entry.keyStart..<entry.end])
            if let value = detached[entry.keyStart] { scratch.append(contentsOf: value) }
        }
        bytes.removeLast(bytes.count - start - 1)
        bytes.append(contentsOf: scratch)
        return keptCount
    }

    /// Sorts the entries from `first` on by key; equal keys stay in the order in which they were written.
    private mutating func sortEntries(from first: Int) {
        if entries.count - first > 32 {
            var sorted = Array(entries[first...])
            sorted.sort { left, right in
                let order = keyOrder(left, right)
                return order != 0 ? order < 0 : left.keyStart < right.keyStart
            }
            entries.replaceSubrange(first..., with: sorted)
            return
        }
        for index in (first + 1)..<max(first + 1, entries.count) {
            let entry = entries[index]
            var slot = index
            while slot > first && keyOrder(entries[slot - 1], entry) > 0 {
                entries[slot] = entries[slot - 1]
                slot -= 1
            }
            entries[slot] = entry
        }
    }

    /// Compares two encoded keys byte by byte; negative if `left` comes first.
    @inline(__always)
    private func keyOrder(_ left: MapEntry, _ right: MapEntry) -> Int {
        let leftCount = left.valueStart - left.keyStart
        let rightCount = right.valueStart - right.keyStart
        for offset in 0..<min(leftCount, rightCount) {
            let leftByte = bytes[left.keyStart + offset]
            let rightByte = bytes[right.keyStart + offset]
            if leftByte != rightByte { return leftByte < rightByte ? -1 : 1 }
        }
        return leftCount - rightCount
    }
}
