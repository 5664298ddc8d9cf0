import DurableCore

/// What all trials have shown.
struct PointsSummary {
    var result: LaneResult
    private var survived: [FaultPoint: Set<PointAction>] = [:]
    /// Why nobody took the place of who stood still, and where.
    private var pauses: [String: Set<String>] = [:]

    init(seed: UInt64) {
        result = LaneResult(lane: "points", unit: "trials", wanted: 0, seed: seed)
        for action in PointAction.allCases { result.faults[action.rawValue] = 0 }
    }

    mutating func note(_ plan: PointPlan) {
        result.violations += plan.problems + plan.neverPassed.map { "no scenario passes \($0)" }
    }

    mutating func note(_ trial: PointCase, _ outcome: PointOutcome) {
        result.calls += outcome.calls
        result.acknowledged += outcome.acknowledged
        result.violations += outcome.problems.map { "\(trial): \($0)" }
        if let unknown = outcome.unknown {
            result.unknown.append("\(trial): \(unknown)")
            return
        }
        guard outcome.hasStruck else {
            if outcome.problems.isEmpty { result.unknown.append("\(trial) was not reached again") }
            return
        }
        if let pause = outcome.pause {
            // No trial of this action: it held, but there was no takeover. It is named and counted apart.
            pauses[pause, default: []].insert(trial.point.rawValue)
            result.faults["pause without takeover", default: 0] += 1
            result.wanted -= 1
            return
        }
        result.trials += 1
        guard outcome.problems.isEmpty else { return }
        survived[trial.point, default: []].insert(trial.action)
        result.faults[trial.action.rawValue, default: 0] += 1
    }

    func conclude(_ options: LaneOptions, isPart: Bool) throws {
        var result = result
        let points = FaultPoint.allCases
        let paused = Set(pauses.values.joined())
        let complete = points.filter { point in
            var applicable = Set(PointAction.allCases)
            if paused.contains(point.rawValue) { applicable.remove(.zombie) }
            return applicable.isSubset(of: survived[point] ?? [])
        }
        if isPart {
            result.faults = result.faults.filter { $0.value > 0 }
        } else if complete.count < points.count {
            let missing = points.filter { !complete.contains($0) }.map(\.rawValue)
            result.violations.append("points without every action: \(missing.joined(separator: ", "))")
        }
        StandardError.write("\(complete.count) of \(points.count) points survived every action that applies\n")
        for (reason, names) in pauses.sorted(by: { $0.key < $1.key }) {
            StandardError.write("no takeover, because \(reason): \(names.sorted().joined(separator: ", "))\n")
        }
        try result.conclude(options)
    }
}
