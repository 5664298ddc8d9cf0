internal import DurableBench

/// The results of all rounds of the calls benchmark.
struct CallsTable {
    /// What is measured, in the order of a round.
    enum Kind: String, CaseIterable {
        case exchange = "bare exchange of 100 bytes"
        case noneChange = "change, .none"
        case read = "read"
        case processChange = "change, .process"
        case flush = "bare fdatasync of 4 KiB"
        case commit = "bare LMDB commit, flushed"
        case diskChange = "change, .disk"
        case pipelinedNoneChange = "change, .none, pipelined"
        case pipelinedRead = "read, pipelined"
        case pipelinedProcessChange = "change, .process, pipelined"
        case pipelinedDiskChange = "change, .disk, pipelined"
        case awaitedNoneChange = "change, .none, awaited by tasks"
        case awaitedProcessChange = "change, .process, awaited by tasks"
        case awaitedDiskChange = "change, .disk, awaited by tasks"

        var waitsForDisk: Bool {
            [.flush, .commit, .diskChange, .pipelinedDiskChange, .awaitedDiskChange].contains(self)
        }
    }

    /// What one round found for one kind, in microseconds.
    struct Result {
        let p50: Double
        let p99: Double
    }

    private var rounds: [[Kind: Result]] = []

    /// Keeps one round.
    mutating func add(_ round: [Kind: Result]) { rounds.append(round) }

    /// The table's lines.
    var figures: [Report.Figure] {
        Kind.allCases.filter { kind in rounds.contains { $0[kind] != nil } }.map { kind in
            let p50 = median(rounds.compactMap { $0[kind]?.p50 })
            return Report.Figure(
                name: kind.rawValue,
                values: [
                    ("p50", p50),
                    ("p99", median(rounds.compactMap { $0[kind]?.p99 })),
                    ("per second", 1_000_000 / p50),
                    ("x exchange", ratio(of: kind, to: .exchange)),
                    ("x fdatasync", ratio(of: kind, to: .flush)),
                    ("x LMDB", ratio(of: kind, to: .commit)),
                ]
            )
        }
    }

    private func ratio(of kind: Kind, to base: Kind) -> Double {
        median(
            rounds.compactMap { round in
                guard let value = round[kind], let base = round[base] else { return nil }
                return value.p50 / base.p50
            }
        )
    }
}
