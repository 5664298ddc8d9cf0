internal import DurableBench

/// The results of all rounds of the state benchmark.
struct StateTable {
    /// What one round found for one kind.
    struct Round {
        let raw: StateSubject.Times
        let ours: StateSubject.Times

        var beyond: Double { ours.p50 - raw.p50 }
    }

    /// What is looked at once for each kind.
    struct Footprint {
        var dataBytes = 0
        var rawDataBytes = 0
        /// Of the life that filled the state and made all changes.
        var memory = ProcessMemory()
        /// Of a life after a kill.
        var memoryRecovered = ProcessMemory()
        /// The kill of the life that filled the state, in nanoseconds.
        var firstRecovery: UInt64 = 0
        var recoveries = Samples()
    }

    let kinds: [StateSubject.Kind]
    var footprints: [StateSubject.Kind: Footprint] = [:]
    private var rounds: [[StateSubject.Kind: Round]] = []

    init(_ kinds: [StateSubject.Kind]) { self.kinds = kinds }

    /// Keeps one round.
    mutating func add(_ round: [StateSubject.Kind: Round]) { rounds.append(round) }

    /// The table's lines: changes, then what the state takes and how fast it is back.
    var figures: [Report.Figure] { kinds.map(changes) + kinds.map(footprint) }

    private func changes(_ kind: StateSubject.Kind) -> Report.Figure {
        Report.Figure(
            name: kind.name,
            values: [
                ("raw p50", middle(kind) { $0.raw.p50 }),
                ("raw p99", middle(kind) { $0.raw.p99 }),
                ("ours p50", middle(kind) { $0.ours.p50 }),
                ("ours p99", middle(kind) { $0.ours.p99 }),
                ("beyond raw", middle(kind) { $0.beyond }),
                ("raw x smallest", pairs(kind) { $0.raw.p50 / $1.raw.p50 }),
                ("ours x smallest", pairs(kind) { $0.ours.p50 / $1.ours.p50 }),
                ("beyond x smallest", pairs(kind) { $0.beyond / $1.beyond }),
                ("net x smallest", pairs(kind) { ($0.ours.p50 - ($0.raw.p50 - $1.raw.p50)) / $1.ours.p50 }),
            ]
        )
    }

    private func footprint(_ kind: StateSubject.Kind) -> Report.Figure {
        let footprint = footprints[kind, default: Footprint()]
        let smallest = footprints[smallest(of: kind), default: Footprint()]
        return Report.Figure(
            name: kind.name,
            unit: "recovery in microseconds, the rest in MiB",
            values: [
                ("recovery p50", footprint.recoveries.p50),
                ("x smallest", footprint.recoveries.p50 / smallest.recoveries.p50),
                ("after filling", Double(footprint.firstRecovery) / 1000),
                ("data.mdb", mebibytes(footprint.dataBytes)),
                ("raw data.mdb", mebibytes(footprint.rawDataBytes)),
                ("PSS", mebibytes(footprint.memory.resident)),
                ("anonymous", mebibytes(footprint.memory.anonymous)),
                ("recovered PSS", mebibytes(footprint.memoryRecovered.resident)),
                ("recovered anonymous", mebibytes(footprint.memoryRecovered.anonymous)),
            ]
        )
    }

    private func middle(_ kind: StateSubject.Kind, _ value: (Round) -> Double) -> Double {
        median(rounds.compactMap { $0[kind].map(value) })
    }

    /// The middle of what each round says of a kind beside the smallest of the same durability.
    private func pairs(_ kind: StateSubject.Kind, _ value: (Round, Round) -> Double) -> Double {
        let smallest = smallest(of: kind)
        return median(
            rounds.compactMap { round in
                guard let one = round[kind], let other = round[smallest] else { return nil }
                return value(one, other)
            }
        )
    }

    private func smallest(of kind: StateSubject.Kind) -> StateSubject.Kind {
        kinds.filter { $0.durability == kind.durability }.min { $0.size < $1.size } ?? kind
    }

    private func mebibytes(_ bytes: Int) -> Double { Double(bytes) / 1_048_576 }
}
