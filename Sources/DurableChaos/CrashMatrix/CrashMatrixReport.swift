package import DurableProcess

/// One case of a crash matrix: a process dies at this passage through a point of the framework.
public struct CrashCase: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The case of the run that the code which asks is part of; `nil` in the run that counts, and outside of matrices.
    @TaskLocal public static var current: CrashCase?

    /// How often this run's processes have passed each point so far, in scenario and verification.
    @TaskLocal package static var tally: FaultTally?

    /// The point's name.
    public var point: String
    /// Which passage it is, of all processes of the runtime together, counted from 1.
    public var occurrence: Int

    /// Makes a case.
    public init(_ point: String, occurrence: Int) {
        self.point = point
        self.occurrence = occurrence
    }

    /// The form in which reports name it.
    public var description: String { "\(point) #\(occurrence)" }

    /// Orders by the name, then by the passage.
    public static func < (left: Self, right: Self) -> Bool {
        (left.point, left.occurrence) < (right.point, right.occurrence)
    }
}

/// What a crash matrix has found.
public struct CrashMatrixReport: Sendable, CustomStringConvertible {
    /// A case that was not survived.
    public struct Failure: Sendable, CustomStringConvertible {
        /// Where the process died.
        public var crash: CrashCase
        /// What was wrong then.
        public var message: String

        /// Both in a line.
        public var description: String { "\(crash): \(message)" }
    }

    /// What the order of the cases was made from.
    public let seed: UInt64
    /// All points that were asked for.
    public let points: [String]
    /// How often each was passed when nothing was killed.
    public let passages: [String: Int]
    /// Cases in which a process died and everything that was checked held.
    public internal(set) var survived: [CrashCase] = []
    /// Cases in which something did not hold.
    public internal(set) var failures: [Failure] = []
    /// Cases that no run came to, because runs differ: timers, and how calls meet in one commit.
    public internal(set) var notReached: [CrashCase] = []

    init(seed: UInt64, points: [String], passages: [String: Int]) {
        self.seed = seed
        self.points = points
        self.passages = passages
    }

    /// Points that the scenario does not pass; nothing is known of them.
    public var neverPassed: [String] { points.filter { passages[$0] == nil } }

    /// Points at which processes died, each time without harm.
    public var survivedPoints: [String] {
        let failed = Set(failures.map(\.crash.point))
        let struck = Set(survived.map(\.point))
        return points.filter { struck.contains($0) && !failed.contains($0) }
    }

    /// Whether every point was survived.
    public var isComplete: Bool { survivedPoints.count == points.count }

    /// The coverage, what failed, and the points of which nothing is known.
    public var description: String {
        var lines = [
            "\(survivedPoints.count) of \(points.count) points survived, in \(survived.count) crashes (seed \(seed))"
        ]
        lines += failures.sorted { $0.crash < $1.crash }.map { "not survived: \($0)" }
        if !neverPassed.isEmpty { lines.append("never passed: \(neverPassed.joined(separator: ", "))") }
        if !notReached.isEmpty {
            let cases = notReached.sorted().map(\.description)
            lines.append("not reached again: \(cases.joined(separator: ", "))")
        }
        return lines.joined(separator: "\n")
    }
}

/// A crash matrix found cases that were not survived.
public struct CrashMatrixFailure: Error, CustomStringConvertible {
    /// All that it found.
    public let report: CrashMatrixReport

    /// The report.
    public var description: String { report.description }
}
