internal import ArgumentParser

/// A time as users write it: a number and one of the units ms, s, min and h.
struct TimeSpan: ExpressibleByArgument, Hashable, Sendable, CustomStringConvertible {
    private static let units: [(name: String, milliseconds: Double)] = [
        ("ms", 1), ("s", 1000), ("min", 60_000), ("m", 60_000), ("h", 3_600_000),
    ]
    /// A day: longer than anything that is asked for.
    private static let millisecondsMax = 86_400_000.0

    let milliseconds: Int

    init(milliseconds: Int) { self.milliseconds = milliseconds }

    init?(argument: String) {
        let digits = argument.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let unit = argument[digits.endIndex...]
        guard let number = Double(digits), let factor = Self.units.first(where: { $0.name == unit })?.milliseconds,
            number * factor <= Self.millisecondsMax
        else { return nil }
        milliseconds = Int((number * factor).rounded())
    }

    var duration: Duration { .milliseconds(milliseconds) }

    /// In the largest unit that leaves no fraction.
    var description: String {
        for (name, factor) in [("h", 3_600_000), ("min", 60_000), ("s", 1000)]
        where milliseconds > 0 && milliseconds.isMultiple(of: factor) {
            return "\(milliseconds / factor)\(name)"
        }
        return "\(milliseconds)ms"
    }

    var defaultValueDescription: String { description }
}
