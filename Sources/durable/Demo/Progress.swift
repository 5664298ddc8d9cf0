/// Shows how far a run is: a line that is redrawn on a terminal, a line every few seconds elsewhere.
struct Progress: Sendable {
    private static let width = 24
    private let run: DemoRun
    private let start: ContinuousClock.Instant
    private let isTerminal = StandardError.isTerminal

    init(_ run: DemoRun, since start: ContinuousClock.Instant) {
        self.run = run
        self.start = start
    }

    /// Shows until the task is cancelled.
    func show() async {
        StandardError.write(
            "seed \(run.settings.seed), \(run.settings.actors) ledgers, \(run.settings.callers) callers, "
                + "\(run.settings.kills) kills to come\n"
        )
        var last = start
        while !Task.isCancelled {
            if isTerminal { StandardError.write("\r\(line)\u{1B}[K") }
            do {
                try await Task.sleep(for: isTerminal ? .milliseconds(100) : .seconds(3))
            } catch {
                break
            }
            if !isTerminal { StandardError.write("\(line)\n") }
            last = .now
        }
        if isTerminal, last >= start { StandardError.write("\r\(line)\u{1B}[K\n") }
    }

    private var line: String {
        let (done, goal) = (run.feed.acknowledged, max(1, run.feed.goal))
        let (kills, recovery) = run.tally.brief
        let seconds = max((ContinuousClock.now - start) / .seconds(1), 0.001)
        let filled = min(Self.width, done * Self.width / goal)
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: Self.width - filled)
        let last = recovery.map { ", last recovery \($0.shown)" } ?? ""
        let rate = Int(Double(done) / seconds)
        return "[\(bar)] \(done)/\(goal) records, \(kills)/\(run.settings.kills) kills\(last), \(rate) calls/s"
    }
}
