/// The order of the keys of a short map: which of its entries, as they were written, comes at each place.
struct KeyOrder {
    /// How many entries a map may have to be sorted in this way.
    static let countMax = 32

    var owner: UInt = 0
    var count = 0
    var indices = InlineArray<32, UInt8>(repeating: 0)
}

/// The orders in which the keys of maps were sorted before.
///
/// A type writes its properties in one order, so that the order of their keys, once found, need only be checked.
struct KeyOrders {
    private static let slotCount = 64
    private var slots: [KeyOrder] = []

    /// The order that was kept for a type's maps of so many entries, or another one in its place.
    @inline(__always)
    func order(owner: UInt, count: Int) -> KeyOrder? {
        guard !slots.isEmpty, owner != 0 else { return nil }
        let order = slots[Self.slot(owner, count)]
        return order.owner == owner && order.count == count ? order : nil
    }

    mutating func keep(_ order: KeyOrder) {
        guard order.owner != 0 else { return }
        if slots.isEmpty { slots = Array(repeating: KeyOrder(), count: Self.slotCount) }
        slots[Self.slot(order.owner, order.count)] = order
    }

    private static func slot(_ owner: UInt, _ count: Int) -> Int {
        Int(truncatingIfNeeded: (owner >> 4) ^ (owner >> 10) ^ UInt(truncatingIfNeeded: count)) & (slotCount - 1)
    }
}

extension Writer {
    /// Puts the entries of the map opened at `start` in bytewise order of their keys and writes its head.
    ///
    /// - Parameters:
    ///   - detached: values that were written elsewhere, by the start of their key.
    ///   - owner: stands for the type whose properties the entries are; 0 if it is not known.
    /// - Returns: true if a key occurred more than once; the last of the equal entries was kept.
    mutating func closeMap(at start: Int, firstEntry: Int, detached: [Int: [UInt8]]? = nil, owner: UInt = 0) -> Bool {
        let entryCount = entries.count - firstEntry
        var isAscending = true
        if entryCount > 0 {
            for index in firstEntry..<entries.count - 1 {
                entries[index].end = entries[index + 1].keyStart
                if isAscending { isAscending = keyOrder(entries[index], entries[index + 1]) < 0 }
            }
            entries[entries.count - 1].end = bytes.count
        }
        var keptCount = entryCount
        if !isAscending || detached != nil {
            keptCount = sortEntries(from: firstEntry, detached: detached, owner: owner)
            bytes.truncate(start + 1)
            bytes.append(copying: scratch, from: 0, to: scratch.count)
        }
        entries.truncate(firstEntry)
        closeContainer(MajorType.map, at: start, count: keptCount)
        return keptCount != entryCount
    }

    /// Writes the entries to `scratch` in the order of their keys and returns how many were kept.
    private mutating func sortEntries(from first: Int, detached: [Int: [UInt8]]?, owner: UInt) -> Int {
        let count = entries.count - first
        guard count <= KeyOrder.countMax else {
            let sorted = entries.array(from: first).sorted { isBefore($0, $1) }
            return copyEntries(count, detached) { _, rank in sorted[rank] }!
        }
        if let order = orders.order(owner: owner, count: count) {
            let kept = copyEntries(count, detached) { entries, rank in entries[first + Int(order.indices[rank])] }
            if let kept { return kept }
        }
        let order = sortedOrder(from: first, owner: owner)
        orders.keep(order)
        return copyEntries(count, detached) { entries, rank in entries[first + Int(order.indices[rank])] }!
    }

    /// Writes entries to `scratch`, only the last of those whose keys are equal.
    ///
    /// - Returns: how many were kept; nil if they are not in order.
    @inline(__always)
    private mutating func copyEntries(
        _ count: Int,
        _ detached: [Int: [UInt8]]?,
        entry: (borrowing Memory<MapEntry>, Int) -> MapEntry
    ) -> Int? {
        scratch.truncate(0)
        scratch.reserve(bytes.count)
        var keptCount = 0
        var current = entry(entries, 0)
        for rank in 1...count {
            let next = rank < count ? entry(entries, rank) : current
            let order = rank < count ? keyOrder(current, next) : -1
            if order > 0 || order == 0 && current.keyStart > next.keyStart { return nil }
            if order < 0 {
                keptCount += 1
                scratch.append(copying: bytes, from: current.keyStart, to: current.end)
                if let value = detached?[current.keyStart] { scratch.append(contentsOf: value) }
            }
            current = next
        }
        return keptCount
    }

    /// Finds the order of the entries' keys; equal keys stay in the order in which they were written.
    private func sortedOrder(from first: Int, owner: UInt) -> KeyOrder {
        var order = KeyOrder(owner: owner, count: entries.count - first)
        for index in 0..<order.count {
            let entry = entries[first + index]
            var slot = index
            while slot > 0 && keyOrder(entries[first + Int(order.indices[slot - 1])], entry) > 0 {
                order.indices[slot] = order.indices[slot - 1]
                slot -= 1
            }
            order.indices[slot] = UInt8(truncatingIfNeeded: index)
        }
        return order
    }

    private func isBefore(_ left: MapEntry, _ right: MapEntry) -> Bool {
        let order = keyOrder(left, right)
        return order != 0 ? order < 0 : left.keyStart < right.keyStart
    }

    /// Compares two encoded keys byte by byte; negative if `left` comes first.
    @inline(__always)
    private func keyOrder(_ left: MapEntry, _ right: MapEntry) -> Int {
        let leftCount = left.valueStart - left.keyStart
        let rightCount = right.valueStart - right.keyStart
        let common = min(leftCount, rightCount)
        var offset = 0
        while offset < common {
            let unused = UInt64(max(0, 8 - (common - offset))) * 8
            let leftWord = bytes.word(at: left.keyStart + offset) >> unused
            let rightWord = bytes.word(at: right.keyStart + offset) >> unused
            if leftWord != rightWord { return leftWord < rightWord ? -1 : 1 }
            offset += 8
        }
        return leftCount - rightCount
    }
}
