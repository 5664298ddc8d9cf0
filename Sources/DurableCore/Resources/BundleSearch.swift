/// Looks for nodes for the bundles of a placement group: for all of them, or for none.
///
/// It tries the likely nodes first and takes back what led nowhere, up to a bound of steps.
struct BundleSearch {
    /// A bundle and the node for it.
    struct Choice: Hashable {
        var bundle: Int
        var node: Int
        var share: ResourceShare
    }

    private struct Bundle {
        var index: Int
        var resources: ResourceSet
    }

    private enum Preference { case used, unused }

    private var pools: [ResourcePool]
    /// Bundles of the placement group on each node.
    private var counts: [Int]
    private let usable: [Int]
    private var steps = Limits.bundleSearchStepsMax

    /// - Parameter isWhole: Whether to look as if nobody held anything.
    init(_ nodes: [Node], counts: [Int], isWhole: Bool = false) {
        pools = nodes.map { isWhole ? $0.whole : $0.pool }
        usable = nodes.indices.filter { !nodes[$0].isDraining }
        self.counts = counts
    }

    /// The nodes for these bundles, the largest bundle first.
    mutating func choices(for bundles: [(index: Int, resources: ResourceSet)], _ strategy: PlacementStrategy)
        -> [Choice]?
    {
        let sorted = bundles.map { Bundle(index: $0.index, resources: $0.resources) }
            .sorted { Self.size($0.resources) > Self.size($1.resources) }
        switch strategy {
        case .strictPack: return onOneNode(sorted)
        case .pack: return onOneNode(sorted) ?? search(sorted[...], isDistinct: false, .used)
        case .strictSpread: return search(sorted[...], isDistinct: true, .unused)
        case .spread:
            let found = search(sorted[...], isDistinct: true, .unused)
            steps = Limits.bundleSearchStepsMax
            return found ?? search(sorted[...], isDistinct: false, .unused)
        }
    }

    private func onOneNode(_ bundles: [Bundle]) -> [Choice]? {
        for node in ordered(.used) {
            var pool = pools[node]
            var choices: [Choice] = []
            for bundle in bundles {
                guard let share = pool.take(bundle.resources) else { break }
                choices.append(Choice(bundle: bundle.index, node: node, share: share))
            }
            if choices.count == bundles.count { return choices }
        }
        return nil
    }

    private mutating func search(
        _ rest: ArraySlice<Bundle>,
        isDistinct: Bool,
        _ preference: Preference
    ) -> [Choice]? {
        guard let bundle = rest.first else { return [] }
        var tried: Set<Int> = []
        for node in ordered(preference) where !isDistinct || counts[node] == 0 {
            // Where two nodes are alike, one failure speaks for both.
            guard !tried.contains(where: { pools[$0] == pools[node] && counts[$0] == counts[node] }) else { continue }
            tried.insert(node)
            guard steps > 0 else { return nil }
            steps -= 1
            let before = pools[node]
            guard let share = pools[node].take(bundle.resources) else { continue }
            counts[node] += 1
            if let others = search(rest.dropFirst(), isDistinct: isDistinct, preference) {
                return [Choice(bundle: bundle.index, node: node, share: share)] + others
            }
            counts[node] -= 1
            pools[node] = before
        }
        return nil
    }

    private func ordered(_ preference: Preference) -> [Int] {
        usable.sorted { left, right in
            guard counts[left] != counts[right] else { return left < right }
            return preference == .used ? counts[left] > counts[right] : counts[left] < counts[right]
        }
    }

    private static func size(_ set: ResourceSet) -> (ResourceAmount, ResourceAmount, ResourceAmount, Int) {
        (set[ResourceSet.Name.gpu], set[ResourceSet.Name.cpu], set[ResourceSet.Name.memory], set.amounts.count)
    }
}
