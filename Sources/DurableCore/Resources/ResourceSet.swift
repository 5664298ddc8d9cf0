/// Amounts of named resources; what is not in it is zero.
package struct ResourceSet: Sendable, Hashable, Codable, CustomStringConvertible {
    /// The names that have options of their own.
    package enum Name {
        package static let cpu = "cpu"
        package static let gpu = "gpu"
        package static let memory = "memory"
    }

    /// No amount is zero.
    package private(set) var amounts: [String: ResourceAmount] = [:]

    package init() {}

    package init(_ amounts: [String: ResourceAmount]) { self.amounts = amounts.filter { $0.value != .zero } }

    package var isEmpty: Bool { amounts.isEmpty }

    package subscript(_ name: String) -> ResourceAmount {
        get { amounts[name] ?? .zero }
        set { amounts[name] = newValue == .zero ? nil : newValue }
    }

    /// Whether every amount of the other one is in it.
    package func covers(_ other: ResourceSet) -> Bool { other.amounts.allSatisfy { self[$0.key] >= $0.value } }

    package static func + (left: Self, right: Self) -> Self {
        right.amounts.reduce(into: left) { $0[$1.key] = $0[$1.key] + $1.value }
    }

    package static func - (left: Self, right: Self) -> Self {
        right.amounts.reduce(into: left) { $0[$1.key] = $0[$1.key] - $1.value }
    }

    /// The amounts as numbers, for people and programs.
    package var values: [String: Double] { amounts.mapValues(\.value) }

    /// As in "2 cpu and 1 gpu".
    package var description: String {
        let known = [Name.cpu, Name.gpu, Name.memory]
        let others = amounts.keys.filter { !known.contains($0) }.sorted()
        let parts = (known + others).compactMap { name -> String? in
            guard let amount = amounts[name] else { return nil }
            return name == Name.memory ? "\(amount) bytes of memory" : "\(amount) \(name)"
        }
        guard let last = parts.last else { return "nothing" }
        return parts.count == 1 ? last : parts.dropLast().joined(separator: ", ") + " and " + last
    }

    package init(from decoder: any Decoder) throws {
        self.init(try [String: ResourceAmount](from: decoder))
    }

    package func encode(to encoder: any Encoder) throws { try amounts.encode(to: encoder) }
}
