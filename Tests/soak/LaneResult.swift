import ArgumentParser
import CBOR

/// What one lane has shown: the row that `docs/reliability.md` records.
struct LaneResult: Codable, Sendable {
    /// The lane's subcommand.
    var lane: String
    /// What is counted: kills, crash states, cuts, seeds.
    var unit: String
    /// How many were wanted.
    var wanted: Int
    /// How many there were.
    var trials = 0
    var seed: UInt64
    /// Calls that were made, where the lane makes calls.
    var calls = 0
    /// Calls that were answered with their effect on record.
    var acknowledged = 0
    /// How often each fault was seen to bite. A fault that is named here and never bit makes the lane fail.
    var faults: [String: Int] = [:]
    /// A sentence for each promise that did not hold.
    var violations: [String] = []
    /// A sentence for each trial of which nothing can be said.
    var unknown: [String] = []
    var seconds = 0.0

    init(lane: String, unit: String, wanted: Int, seed: UInt64) {
        self.lane = lane
        self.unit = unit
        self.wanted = wanted
        self.seed = seed
    }

    /// Why the lane has failed; empty when it has not.
    var failures: [String] {
        var failures = violations.map { "violated: \($0)" } + unknown.map { "unknown: \($0)" }
        if trials < wanted { failures.append("only \(trials) of \(wanted) \(unit)") }
        if acknowledged * 10 < calls * 6 { failures.append("only \(acknowledged) of \(calls) calls were acknowledged") }
        failures += faults.filter { $0.value == 0 }.keys.sorted().map { "\($0) never bit" }
        return failures
    }

    /// Prints the row, and why it failed.
    /// - Throws: `ExitCode.failure` unless everything held.
    func conclude(_ options: LaneOptions) throws {
        if options.json {
            print(try CBORDiagnostic.json(CBOREncoder().encode(self), pretty: false))
        } else {
            print("\(lane): \(trials) \(unit), seed \(seed), \(Int(seconds)) s")
            if calls > 0 { print("  calls acknowledged: \(acknowledged) of \(calls)") }
            for (fault, count) in faults.sorted(by: { $0.key < $1.key }) { print("  \(fault): \(count)") }
            print("  violations: \(violations.count), unknown: \(unknown.count)")
        }
        for failure in failures.prefix(20) { StandardError.write("\(lane): \(failure)\n") }
        guard failures.isEmpty else { throw ExitCode.failure }
    }
}
