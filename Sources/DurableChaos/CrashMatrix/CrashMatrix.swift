public import DurableActors
internal import DurableCore
internal import DurableProcess

/// How a crash matrix works.
public struct CrashMatrixOptions: Sendable {
    /// How the runtime of each run works.
    public var configuration = RuntimeConfiguration()

    /// The points at which processes die, by name; `nil` for all.
    public var points: Set<String>?

    /// At how many passages of a point they die, at most: its first and its last, and others that the seed chooses.
    /// `nil` for all.
    public var occurrencesMax: Int?

    /// How long scenario and verification may take together, in each run.
    public var patience: Duration = .seconds(60)

    /// How often a case is tried that a run has not come to.
    public var attempts = 3

    /// Whether workers may die of other things than the injected fault, as in a scenario that crashes on purpose.
    public var permitsOtherDeaths = false

    /// What each run happens in, with its case; `nil` in the run that counts.
    package var around: (@Sendable (CrashCase?, @Sendable () async throws -> Void) async throws -> Void)?

    /// The defaults.
    public init() {}
}

/// Runs a scenario once for each passage through each named point of the framework, and kills the process that comes to
/// it there: the worker between the method and its commit, say, or the supervisor before it has stored what it knows.
///
/// A first run, in which nothing is killed, counts the passages. Each run has a runtime of its own in a directory of its
/// own. The scenario sees what any program sees whose workers die; what it throws then is a failure. What is verified
/// is verified in the same runtime, after the scenario.
/// - Parameters:
///   - seed: What decides the order of the cases, and which passages are chosen when not all are.
///   - options: How it works.
///   - scenario: What is to survive. Short ones with few calls: there are as many runs as passages.
///   - verify: Throws when something is not as promised.
/// - Returns: What was covered. Nothing that did not hold is in it, else it is thrown.
/// - Throws: ``CrashMatrixFailure``, or what went wrong in the first run.
@discardableResult
public func crashMatrix(
    seed: UInt64,
    options: CrashMatrixOptions = CrashMatrixOptions(),
    _ scenario: @escaping @Sendable (ActorRuntime) async throws -> Void,
    verify: @escaping @Sendable (ActorRuntime) async throws -> Void
) async throws -> CrashMatrixReport {
    let run = CrashRun(options: options, scenario: scenario, verify: verify)
    let all = FaultPoint.allCases.map(\.rawValue)
    if let unknown = options.points?.subtracting(all).min() {
        throw ActorError(.invalidArgument, "there is no point \"\(unknown)\"; the points are \(all)")
    }
    let points = all.filter { options.points?.contains($0) ?? true }
    let recording = try await run.perform(nil)
    if let problem = recording.problem {
        throw ActorError(.invalidArgument, "the scenario fails when nothing is killed: \(problem)")
    }
    let passages = recording.passages.filter { points.contains($0.key) }
    var report = CrashMatrixReport(seed: seed, points: points, passages: passages)
    for crash in CrashCase.all(passages, seed: seed, occurrencesMax: options.occurrencesMax) {
        try Task.checkCancellation()
        var outcome = try await run.perform(crash)
        var attempts = 1
        while !outcome.hasStruck, outcome.problem == nil, attempts < options.attempts {
            outcome = try await run.perform(crash)
            attempts += 1
        }
        if let problem = outcome.problem {
            report.failures.append(CrashMatrixReport.Failure(crash: crash, message: problem))
        } else if outcome.hasStruck {
            report.survived.append(crash)
        } else {
            report.notReached.append(crash)
        }
    }
    guard report.failures.isEmpty else { throw CrashMatrixFailure(report: report) }
    return report
}

extension CrashCase {
    /// The cases of these passages, in an order that the seed decides.
    static func all(_ passages: [String: Int], seed: UInt64, occurrencesMax: Int?) -> [CrashCase] {
        var generator = SeededGenerator(seed: seed)
        // A dictionary has another order in each process.
        let cases = passages.sorted { $0.key < $1.key }.flatMap { point, count in
            chosen(of: count, max: occurrencesMax ?? count, &generator).map { CrashCase(point, occurrence: $0) }
        }
        return cases.shuffled(using: &generator)
    }

    private static func chosen(of count: Int, max: Int, _ generator: inout SeededGenerator) -> [Int] {
        guard count > max else { return Array(1...Swift.max(1, count)) }
        guard max > 1 else { return [1] }
        let between = (2..<count).shuffled(using: &generator).prefix(max - 2)
        return ([1, count] + between).sorted()
    }
}
