/// An amount of a resource in ten-thousandths, so that sums of fractions are exact.
package struct ResourceAmount: Sendable, Hashable, Comparable, Codable, CustomStringConvertible {
    /// Ten-thousandths; negative only where more is held than there is.
    package let units: Int64

    private static let unitsPerWhole: Int64 = 10_000
    /// The largest amount that is allowed: a hundred million million.
    private static let wholeMax = 1e14

    /// Nothing.
    package static let zero = ResourceAmount(units: 0)
    /// One.
    package static let one = ResourceAmount(units: unitsPerWhole)

    private init(units: Int64) { self.units = units }

    /// A whole number, 0 to a hundred million million.
    package init(whole: Int) { units = min(max(Int64(whole), 0), Int64(Self.wholeMax)) * Self.unitsPerWhole }

    /// The amount, if it is one: not negative, not too large, and no finer than 0.0001.
    package init?(_ value: Double) {
        guard value.isFinite, value >= 0, value <= Self.wholeMax else { return nil }
        let scaled = value * Double(Self.unitsPerWhole)
        // What a decimal fraction loses as a binary one is far below the step.
        guard abs(scaled - scaled.rounded()) <= max(1e-6, scaled * 1e-12) else { return nil }
        units = Int64(scaled.rounded())
    }

    /// The amount as a number.
    package var value: Double { Double(units) / Double(Self.unitsPerWhole) }

    /// Whether it has no fraction.
    package var isWhole: Bool { units % Self.unitsPerWhole == 0 }

    /// The number of wholes in it.
    package var wholes: Int { Int(units / Self.unitsPerWhole) }

    package static func < (left: Self, right: Self) -> Bool { left.units < right.units }
    package static func + (left: Self, right: Self) -> Self { Self(units: left.units + right.units) }
    package static func - (left: Self, right: Self) -> Self { Self(units: left.units - right.units) }

    /// The number as people write it: without a fraction when there is none.
    package var description: String { isWhole ? "\(wholes)" : "\(value)" }

    package init(from decoder: any Decoder) throws {
        units = try decoder.singleValueContainer().decode(Int64.self)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(units)
    }
}
