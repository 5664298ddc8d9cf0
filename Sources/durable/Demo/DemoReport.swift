internal import CBOR

/// What a run of the demonstration showed.
struct DemoReport: Sendable {
    var settings: DemoRun.Settings
    var directory: String
    /// The records of the text.
    var records: Int
    /// How often all of them were fed.
    var passes: Int
    /// The replies that came.
    var acknowledged: Int
    var elapsed: Duration
    var restarts: Int
    var tally: Tally.Snapshot
    var comparison: Comparison

    /// Whether every figure is what the text says.
    var isClean: Bool { differences.isEmpty }

    /// Everything that differs from what the text says.
    var differences: [String] {
        let expected = records * passes
        guard acknowledged != expected else { return comparison.differences }
        return ["calls acknowledged is \(acknowledged), expected \(expected)"] + comparison.differences
    }

    private var callsPerSecond: Double { Double(acknowledged) / max(elapsed / .seconds(1), 1e-9) }

    /// What became of the directory.
    private var fate: String {
        guard settings.isTemporary else { return "" }
        return Files.exists(directory) ? ", temporary, could not be removed" : ", temporary and removed"
    }

    /// For people.
    var text: String {
        let times = passes == 1 ? "" : ", fed \(passes) times"
        let recovery = Percentiles(tally.recoveries)
        var rows: [(String, String)] = [
            ("records", "\(records)\(times)"),
            ("calls acknowledged", "\(acknowledged)"),
            (
                "kills",
                "\(tally.workers + tally.supervisors): \(tally.workers) workers, \(tally.supervisors) supervisors"
            ),
            ("restarts", "\(restarts)"),
            ("lost", "\(comparison.lost)"),
            ("doubled", "\(comparison.doubled)"),
            ("differences", "\(differences.count)"),
            ("recovery of workers", recovery.shown),
            ("recovery of supervisors", Percentiles(tally.supervisorRecoveries).shown),
            ("calls per second", "\(Int(callsPerSecond))"),
            ("durability", "\(settings.durability)"),
            ("directory", directory + fate),
            ("seed", "\(settings.seed)"),
        ]
        if tally.supervisorRecoveries.isEmpty { rows.removeAll { $0.0 == "recovery of supervisors" } }
        let lines = rows.map { "  \($0.0.padded(to: 25))\($0.1)\n" }.joined()
        return lines + differences.map { "  DIFFERS: \($0)\n" }.joined()
    }

    /// For programs.
    var json: String {
        get throws {
            let recovery = Percentiles(tally.recoveries)
            let supervisor = Percentiles(tally.supervisorRecoveries)
            return try JSON.text(
                .object([
                    "records": CBORValue(records),
                    "passes": CBORValue(passes),
                    "callsAcknowledged": CBORValue(acknowledged),
                    "kills": .object([
                        "worker": CBORValue(tally.workers),
                        "supervisor": CBORValue(tally.supervisors),
                    ]),
                    "restarts": CBORValue(restarts),
                    "lost": CBORValue(comparison.lost),
                    "doubled": CBORValue(comparison.doubled),
                    "differences": .array(differences.map { .text($0) }),
                    "recoveryMilliseconds": .object(recovery),
                    "supervisorRecoveryMilliseconds": .object(supervisor),
                    "seconds": .float((elapsed / .milliseconds(1)).rounded() / 1000),
                    "callsPerSecond": CBORValue(Int(callsPerSecond)),
                    "actors": CBORValue(settings.actors),
                    "callers": CBORValue(settings.callers),
                    "durability": .text("\(settings.durability)"),
                    "directory": .text(directory),
                    "isTemporary": .bool(settings.isTemporary),
                    "seed": CBORValue(settings.seed),
                ])
            )
        }
    }
}

extension CBORValue {
    fileprivate static func object(_ percentiles: Percentiles) -> CBORValue {
        .object([
            "p50": .milliseconds(percentiles.p50),
            "p99": .milliseconds(percentiles.p99),
            "max": .milliseconds(percentiles.max),
        ])
    }
}
