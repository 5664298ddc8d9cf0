/// Shows how far a lane is: one line that renews itself on a terminal, a line every ten seconds elsewhere.
struct Progress {
    private let unit: String
    private let wanted: Int
    private let isTerminal = StandardError.isTerminal
    private let start = ContinuousClock.now
    private var shown: ContinuousClock.Instant?

    init(_ unit: String, of wanted: Int) {
        self.unit = unit
        self.wanted = wanted
    }

    /// Seconds since the lane began.
    var seconds: Double { start.duration(to: .now) / .seconds(1) }

    /// Says how many trials are over, if it is time to.
    mutating func show(_ trials: Int, _ remark: String = "") {
        let pause: Duration = isTerminal ? .milliseconds(200) : .seconds(10)
        if let shown, shown.duration(to: .now) < pause, trials < wanted { return }
        shown = .now
        let line = "\(trials) of \(wanted) \(unit), \(Int(seconds)) s \(remark)"
        StandardError.write(isTerminal ? "\r\u{1b}[K\(line)\(trials >= wanted ? "\n" : "")" : "\(line)\n")
    }
}
