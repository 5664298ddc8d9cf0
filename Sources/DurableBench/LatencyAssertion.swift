/// What is claimed of latencies, as in `p99<50ms`.
package struct LatencyAssertion: Sendable, Hashable, CustomStringConvertible {
    /// How a number must stand to its bound.
    package enum Comparison: String, Sendable, CaseIterable {
        case below = "<"
        case atMost = "<="
        case above = ">"
        case atLeast = ">="
    }

    /// Why a text is no claim.
    package struct ParseError: Error, Hashable, CustomStringConvertible {
        /// What is wrong, and what is allowed.
        package let description: String
    }

    /// Which number.
    package let statistic: LatencyStatistic
    /// How it must stand to the bound.
    package let comparison: Comparison
    /// The bound.
    package let bound: Duration
    /// The claim as it was written.
    package let description: String

    private static let units: [(name: String, nanoseconds: Double)] = [
        ("ns", 1), ("us", 1e3), ("µs", 1e3), ("μs", 1e3), ("ms", 1e6), ("s", 1e9),
    ]

    /// Reads a claim: `min`, `p50`, `p99`, `p99.9` or `max`; then `<`, `<=`, `>` or `>=`; then a number with one of the
    /// units ns, us, ms and s. Spaces may stand between these.
    package init(_ text: String) throws(ParseError) {
        func fault(_ what: String) -> ParseError {
            ParseError(description: "\"\(text)\" is no assertion: \(what); write one as in p99<50ms or max<=1.5s")
        }
        guard let sign = text.firstIndex(where: { "<>=".contains($0) }) else {
            throw fault("there is none of <, <=, >, >= in it")
        }
        let signs = text[sign...].prefix { "<>=".contains($0) }
        guard let comparison = Comparison(rawValue: String(signs)) else {
            throw fault("\"\(signs)\" is none of <, <=, >, >=")
        }
        let name = Self.trimmed(text[..<sign])
        guard let statistic = LatencyStatistic(rawValue: name) else {
            let known = LatencyStatistic.allCases.map(\.rawValue).joined(separator: ", ")
            throw fault(name.isEmpty ? "nothing stands before \(signs)" : "\"\(name)\" is none of \(known)")
        }
        let amount = Self.trimmed(text[signs.endIndex...])
        let digits = amount.prefix { "0123456789.".contains($0) }
        let unit = Self.trimmed(amount[digits.endIndex...])
        guard let number = Double(digits), number.isFinite else {
            throw fault(
                amount.isEmpty ? "nothing stands behind \(signs)" : "\"\(amount)\" does not begin with a number"
            )
        }
        guard let factor = Self.units.first(where: { $0.name == unit })?.nanoseconds else {
            throw fault(
                unit.isEmpty ? "\(digits) has no unit, one of ns, us, ms, s" : "\"\(unit)\" is none of ns, us, ms, s"
            )
        }
        guard number * factor <= 1e15 else { throw fault("\(amount) is longer than eleven days") }
        self.statistic = statistic
        self.comparison = comparison
        bound = .nanoseconds(Int64((number * factor).rounded()))
        description = text
    }

    /// Whether the claim holds.
    package func holds(of summary: LatencySummary) -> Bool {
        let value = summary.value(of: statistic)
        return switch comparison {
        case .below: value < bound
        case .atMost: value <= bound
        case .above: value > bound
        case .atLeast: value >= bound
        }
    }

    private static func trimmed(_ text: some StringProtocol) -> String {
        var rest = Substring(text)
        while rest.first?.isWhitespace == true { rest.removeFirst() }
        while rest.last?.isWhitespace == true { rest.removeLast() }
        return String(rest)
    }
}
