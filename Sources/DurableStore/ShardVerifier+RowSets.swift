internal import DurableCore

/// Each row set belongs to exactly one property, large value or list, and has the rows that it should.
extension ShardVerifier {
    func settle() {
        for (rows, reference) in references {
            if let fence = report.fence, rows >= fence.nextRows {
                find("row set \(rows) is in use, and the next one would get number \(fence.nextRows)")
            }
            if let known = sets[rows]?.reference {
                if !Self.canShare(known, reference) { find("row set \(rows) belongs to two things") }
                // Part of the state and of an earlier one: the state says what must be there.
                if case .kept = reference { continue }
            }
            sets[rows, default: RowSet()].reference = reference
        }
        for (number, set) in sets.sorted(by: { $0.key < $1.key }) { settle(number, set) }
    }

    private func settle(_ number: RowSetID, _ set: RowSet) {
        switch set.reference {
        case nil:
            find("row set \(number) with \(set.rows) rows belongs to nothing")
        case .kept, .discarded:
            break
        case .portions(let length, let owner):
            guard !set.isNumbered || set.bytes != length else { return }
            find("\(owner): \(set.bytes) of \(length) bytes are there, in \(set.rows) portions")
        case .collection(let header, let owner):
            if header.count != set.rows { find("\(owner) says it has \(header.count) entries and has \(set.rows)") }
            guard header.kind == .array, set.rows > 0 else { return }
            let end = header.start &+ UInt64(set.rows) &- 1
            let isWhole =
                set.first.count == 8 && set.last.count == 8 && UInt64(bigEndian: set.first) == header.start
                && UInt64(bigEndian: set.last) == end
            if !isWhole { find("\(owner): the positions of its elements have gaps") }
        }
    }

    /// A set that an earlier state needs can be part of no list of discarded ones, but of the same thing twice.
    private static func canShare(_ one: Reference, _ other: Reference) -> Bool {
        switch (one, other) {
        case (.kept, .kept): true
        default: false
        }
    }
}
