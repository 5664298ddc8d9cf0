internal import DurableActors
internal import DurableChaos
internal import Glibc

/// Keeps entries in the order in which they came.
distributed actor ChaosLedger: DurableActor {
    typealias ActorSystem = ActorRuntime

    @Checkpointed var entries = CheckpointedArray<PackedItem>()

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
    }

    /// Adds an entry. Returns how many there are.
    distributed func append(_ entry: PackedItem) -> Int {
        entries.append(entry)
        return entries.count
    }

    /// Some entries from a place on; fewer than asked for at the end.
    distributed func page(_ first: Int, _ count: Int) -> [PackedItem] {
        (first..<max(first, min(first + count, entries.count))).map { entries[$0] }
    }

    /// The process in which it lives.
    distributed func process() -> Int32 { getpid() }
}

/// A thing that a client has made, and its number among those of that client in that place.
struct PackedItem: Codable, Hashable, Sendable {
    private let packed: Int

    init(client: Int, number: Int) { packed = client << 40 | number }

    init(id: Int) { packed = id }

    init(from decoder: any Decoder) throws { packed = try decoder.singleValueContainer().decode(Int.self) }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(packed)
    }

    var client: Int { packed >> 40 }
    var number: Int { packed & (1 << 40 - 1) }
    /// Both in one.
    var id: Int { packed }
}

/// Clients write into ledgers.
final class LedgerScenario: ChaosScenario {
    private static let pageCount = 5000
    private let scale: ChaosScale
    private let journal = ChaosJournal()
    private let ledgers = Once<[ChaosLedger]>()

    init(_ scale: ChaosScale) { self.scale = scale }

    func prepare(_ runtime: ActorRuntime) async throws -> ChaosProbes {
        let names = (1...scale.actors).map { "ledger-\($0)" }
        var made: [ChaosLedger] = []
        for name in names { made.append(try await runtime.spawn(ChaosLedger.self, options: scale.options(name))) }
        for ledger in made { _ = try await ledger.process() }
        ledgers.set(made)
        return ChaosProbes(
            uniqueKeysWithValues: zip(names, made.map { ledger in { @Sendable in try await ledger.process() } })
        )
    }

    func work(_ client: Int, _ traffic: ChaosTraffic, _ generator: SeededGenerator) async {
        var generator = generator
        let ledgers = ledgers.value
        while !traffic.isOver {
            let place = Int.random(in: ledgers.indices, using: &generator)
            let key = ChaosJournal.Key(client: client, place: place)
            let number = journal.begin(key)
            let outcome = await traffic.call {
                try await ledgers[place].append(PackedItem(client: client, number: number))
            }
            journal.end(key, number, outcome, at: traffic.book.elapsed)
        }
    }

    func check() async throws -> ChaosFindings {
        var found: [ChaosJournal.Key: [Int]] = [:]
        var count = 0
        for (place, ledger) in ledgers.value.enumerated() {
            var first = 0
            while true {
                let page = try await ledger.page(first, Self.pageCount)
                for entry in page { found[.init(client: entry.client, place: place), default: []].append(entry.number) }
                first += page.count
                guard page.count == Self.pageCount else { break }
            }
            count += first
        }
        var result = ChaosComparison()
        for key in Set(journal.keys).union(found.keys).sorted() {
            let place = "in ledger-\(key.place + 1)"
            journal.compare(key, found[key] ?? [], whole: "entry", in: place, &result)
        }
        let acknowledged = "\(result.done.grouped) acknowledged entries"
        let present = "\(count.grouped) entries in \(scale.actors) ledgers"
        return ChaosFindings(
            checks: [
                ChaosCheck("every acknowledged entry is there", acknowledged, result.lost),
                ChaosCheck("no entry is there twice", present, result.doubled),
                ChaosCheck("each client's entries are in order", present, result.order),
                ChaosCheck("nothing is there that nobody wrote", present, result.foreign),
            ],
            lost: result.lost.count,
            doubled: result.doubled.count
        )
    }
}
