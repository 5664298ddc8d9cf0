internal import DurableBench

/// The results of all rounds of the recovery benchmark.
struct RecoveryTable {
    /// What is measured, in the order of a round.
    enum Kind: String, CaseIterable {
        case smallChild = "kill -9 to end of file, small C program"
        case sameProgram = "kill -9 to end of file, this program"
        case process = "kill -9 to first reply, .process"
        case disk = "kill -9 to first reply, .disk"
    }

    private var samples: [Kind: Samples] = [:]

    /// Every single duration.
    private(set) var log = SampleLog()

    /// Keeps one duration in nanoseconds.
    mutating func record(_ duration: UInt64, of kind: Kind) {
        log.record(duration, of: kind.rawValue)
        samples[kind, default: Samples()].record(duration)
    }

    /// The table's lines.
    var figures: [Report.Figure] {
        let floor = samples[.sameProgram]?.p50 ?? .nan
        return Kind.allCases.compactMap { kind in
            samples[kind].map { samples in
                Report.Figure(
                    name: kind.rawValue,
                    values: [
                        ("p50", samples.p50),
                        ("p99", samples.p99),
                        ("max", samples.max),
                        ("p50 x floor", samples.p50 / floor),
                        ("p99 x floor", samples.p99 / floor),
                    ]
                )
            }
        }
    }
}
