import DurableCore

/// What all trials have shown.
struct PointsSummary {
    var result: LaneResult
    private var survived: [FaultPoint: Set<PointAction>] = [:]
    private var paused: Set<String> = []

    init(seed: UInt64) {
        result = LaneResult(lane: "points", unit: "trials", wanted: 0, seed: seed)
        for action in PointAction.allCases { result.faults[action.rawValue] = 0 }
    }

    mutating func note(_ plan: PointPlan) {
        result.violations += plan.problems + plan.neverPassed.map { "no scenario passes \($0)" }
    }

    mutating func note(_ trial: PointCase, _ outcome: PointRun.Outcome) {
        result.calls += outcome.calls
        result.acknowledged += outcome.acknowledged
        result.violations += outcome.problems.map { "\(trial): \($0)" }
        guard outcome.hasStruck else {
            if outcome.problems.isEmpty { result.unknown.append("\(trial) was not reached again") }
            return
        }
        result.trials += 1
        guard outcome.problems.isEmpty else { return }
        survived[trial.point, default: []].insert(trial.action)
        if trial.action == .zombie, !outcome.wasTakenOver {
            paused.insert(trial.point.rawValue)
            result.faults["pause, nobody to take over", default: 0] += 1
        } else {
            result.faults[trial.action.rawValue, default: 0] += 1
        }
    }

    func conclude(_ options: LaneOptions, isPart: Bool) throws {
        var result = result
        let points = FaultPoint.allCases
        let complete = points.filter { survived[$0]?.count == PointAction.allCases.count }
        if isPart {
            result.faults = result.faults.filter { $0.value > 0 }
        } else if complete.count < points.count {
            let missing = points.filter { !complete.contains($0) }.map(\.rawValue)
            result.violations.append("points without every action: \(missing.joined(separator: ", "))")
        }
        StandardError.write("\(complete.count) of \(points.count) points survived every action\n")
        if !paused.isEmpty {
            StandardError.write(
                "went on before a successor served, because it held the lock (of the supervisor's place, or of those who "
                    + "write), hosted a group, or there was no next life: "
                    + "\(paused.sorted().joined(separator: ", "))\n"
            )
        }
        try result.conclude(options)
    }
}
