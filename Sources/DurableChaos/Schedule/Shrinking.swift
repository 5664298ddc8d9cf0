/// The smallest part of a failing list that still fails, found by leaving parts out: delta debugging.
///
/// What comes back is minimal in that it does not fail without any single one of its elements. A list that fails only
/// now and then should be tried more than once in `fails`.
/// - Parameters:
///   - list: What failed; usually the faults of a schedule.
///   - runsMax: How often `fails` may be asked; then the smallest that failed so far is the answer.
///   - fails: Whether this part, in the order of the list, still fails.
public func shrink<Element: Sendable>(
    _ list: [Element],
    runsMax: Int = 500,
    while fails: ([Element]) async throws -> Bool
) async rethrows -> [Element] {
    var list = list
    var runs = 0
    if !list.isEmpty, runsMax > 0 {
        runs += 1
        if try await fails([]) { return [] }
    }
    var partsCount = 2
    while list.count > 1, runs < runsMax {
        let parts = divided(list.indices, into: partsCount)
        // A part alone, then everything but a part; of two parts each is all but the other.
        var candidates = parts.map { (list: Array(list[$0]), partsCount: 2) }
        if partsCount > 2 {
            candidates += parts.map {
                (Array(list[..<$0.lowerBound] + list[$0.upperBound...]), partsCount - 1)
            }
        }
        var smaller: (list: [Element], partsCount: Int)?
        for candidate in candidates {
            guard runs < runsMax else { return list }
            runs += 1
            if try await fails(candidate.list) {
                smaller = candidate
                break
            }
        }
        if let smaller {
            list = smaller.list
            partsCount = min(smaller.partsCount, max(2, list.count))
        } else if partsCount < list.count {
            partsCount = min(2 * partsCount, list.count)
        } else {
            break
        }
    }
    return list
}

private func divided(_ range: Range<Int>, into count: Int) -> [Range<Int>] {
    (0..<count).map { range.count * $0 / count..<range.count * ($0 + 1) / count }.filter { !$0.isEmpty }
}
