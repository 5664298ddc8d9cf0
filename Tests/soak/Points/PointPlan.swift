import DurableActors
import DurableChaos
import DurableCore

/// The trials of one seed: every point with every action and both deliveries.
struct PointPlan: Sendable {
    private(set) var cases: [PointCase] = []
    /// Points that no scenario passes.
    private(set) var neverPassed: [String] = []
    /// What went wrong when nothing was done to anybody.
    private(set) var problems: [String] = []

    /// Runs each scenario without faults, and chooses a passage of each point.
    init(seed: UInt64) async throws {
        var generator = SeededGenerator(seed: seed)
        for delivery in Delivery.allCases {
            var passages: [(PointScenario, [String: Int])] = []
            for scenario in PointScenario.allCases {
                let outcome = await PointRun(scenario: scenario, delivery: delivery, trial: nil).apart()
                problems += (outcome.problems + (outcome.unknown.map { [$0] } ?? [])).map {
                    "\(scenario) \(delivery), without faults: \($0)"
                }
                passages.append((scenario, outcome.passages))
            }
            for point in FaultPoint.allCases {
                // The shortest scenario that passes it comes first.
                guard let (scenario, counts) = passages.first(where: { $0.1[point.rawValue, default: 0] > 0 }) else {
                    neverPassed.append("\(point) (\(delivery))")
                    continue
                }
                let count = counts[point.rawValue, default: 1]
                for action in PointAction.allCases {
                    let occurrence = Int.random(in: 1...count, using: &generator)
                    cases.append(
                        PointCase(
                            scenario: scenario,
                            point: point,
                            occurrence: occurrence,
                            action: action,
                            delivery: delivery
                        )
                    )
                }
            }
        }
        cases.shuffle(using: &generator)
    }
}
