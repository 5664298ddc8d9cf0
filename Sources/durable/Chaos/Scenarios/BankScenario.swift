internal import DurableActors
internal import DurableChaos
internal import Glibc

/// An account, with a record of each transfer.
distributed actor ChaosAccount: DurableActor {
    typealias ActorSystem = ActorRuntime

    /// One side of a transfer.
    struct Side: Codable, Sendable {
        var id: Int
        var amount: Int
        /// How often it was booked.
        var times: Int
    }

    @Checkpointed var balance = 0
    @Checkpointed var sides = CheckpointedDictionary<Int, Side>()

    init(_ opening: Int, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
        balance = opening
    }

    /// Moves an amount to another account, or from it if it is negative. A balance may be negative, too: a refusal
    /// would depend on what happened in between, and a turn that is retried must decide as it did before.
    distributed func transfer(_ id: Int, _ amount: Int, to other: ChaosAccount) async throws -> Int {
        _ = try await other.book(id, amount)
        return book(id, -amount)
    }

    /// Books one side. Returns the balance.
    distributed func book(_ id: Int, _ amount: Int) -> Int {
        balance += amount
        let times = (sides[id]?.times ?? 0) + 1
        sides[id] = Side(id: id, amount: amount, times: times)
        return balance
    }

    distributed func total() -> Int { balance }

    /// Some sides, by their numbers, from one on.
    distributed func page(_ first: Int, _ count: Int) -> [Side] {
        sides.elements(from: first).prefix(count).map(\.value)
    }

    /// The process in which it lives.
    distributed func process() -> Int32 { getpid() }
}

/// Clients move money between accounts.
final class BankScenario: ChaosScenario {
    private static let pageCount = 2000
    private static let opening = 1000
    private let scale: ChaosScale
    private let journal = ChaosJournal()
    private let accounts = Once<[ChaosAccount]>()

    init(_ scale: ChaosScale) { self.scale = scale }

    func prepare(_ runtime: ActorRuntime) async throws -> ChaosProbes {
        let names = (1...scale.actors).map { "account-\($0)" }
        var made: [ChaosAccount] = []
        for name in names {
            made.append(try await runtime.spawn(ChaosAccount.self, Self.opening, options: scale.options(name)))
        }
        for account in made { _ = try await account.process() }
        accounts.set(made)
        return ChaosProbes(
            uniqueKeysWithValues: zip(names, made.map { account in { @Sendable in try await account.process() } })
        )
    }

    func work(_ client: Int, _ traffic: ChaosTraffic, _ generator: SeededGenerator) async {
        var generator = generator
        let accounts = accounts.value
        let key = ChaosJournal.Key(client: client, place: 0)
        while !traffic.isOver {
            // The lower account calls the higher one, so that no two wait for each other.
            let low = Int.random(in: 0..<accounts.count - 1, using: &generator)
            let high = Int.random(in: low + 1..<accounts.count, using: &generator)
            let amount = Int.random(in: 1...100, using: &generator) * (Bool.random(using: &generator) ? 1 : -1)
            let number = journal.begin(key)
            let id = PackedItem(client: client, number: number).id
            let outcome = await traffic.call { try await accounts[low].transfer(id, amount, to: accounts[high]) }
            journal.end(key, number, outcome, at: traffic.book.elapsed)
        }
    }

    func check() async throws -> ChaosFindings {
        var (payers, payees) = (Found(), Found())
        var (total, balances) = (0, [ChaosComparison.Difference]())
        for (place, account) in accounts.value.enumerated() {
            let balance = try await account.total()
            total += balance
            var (first, sum) = (0, Self.opening)
            while true {
                let page = try await account.page(first, Self.pageCount)
                for side in page {
                    sum += side.amount * side.times
                    let item = PackedItem(id: side.id)
                    let isFirst = payers.amounts[side.id] == nil
                    if isFirst { payers.add(side, item) } else { payees.add(side, item) }
                }
                guard page.count == Self.pageCount, let last = page.last else { break }
                first = last.id + 1
            }
            if sum != balance {
                balances.append(.init("account-\(place + 1) has \(balance), its transfers say \(sum)", nil))
            }
        }
        let expected = Self.opening * scale.actors
        if total != expected { balances.insert(.init("the total is \(total), expected \(expected)", nil), at: 0) }
        return findings(payers, payees, balances, total: total)
    }

    private func findings(
        _ payers: Found,
        _ payees: Found,
        _ balances: [ChaosComparison.Difference],
        total: Int
    ) -> ChaosFindings {
        var result = ChaosComparison()
        for (found, place) in [(payers, "on the one account"), (payees, "on the other account")] {
            for client in 0..<scale.clients {
                let key = ChaosJournal.Key(client: client, place: 0)
                journal.compare(key, found.numbers[client]?.sorted() ?? [], whole: "transfer", in: place, &result)
            }
        }
        let halves = payers.amounts.filter { payees.amounts[$0.key] != -$0.value }.map { id, _ in
            let item = PackedItem(id: id)
            return ChaosComparison.Difference(
                "transfer \(item.number) of client \(item.client + 1) is on one account only",
                nil
            )
        }
        let transfers = "\((result.done / 2).grouped) acknowledged transfers"
        return ChaosFindings(
            checks: [
                ChaosCheck("the total is conserved", "\(total.grouped) on \(scale.actors) accounts", balances),
                ChaosCheck("every acknowledged transfer is there", transfers, result.lost),
                ChaosCheck("no transfer is there twice", transfers, result.doubled),
                ChaosCheck("each transfer is on both accounts or on none", transfers, halves + result.foreign),
            ],
            lost: result.lost.count,
            doubled: result.doubled.count
        )
    }

    /// One side of all transfers.
    private struct Found {
        var amounts: [Int: Int] = [:]
        /// By client, as often as they are there.
        var numbers: [Int: [Int]] = [:]

        mutating func add(_ side: ChaosAccount.Side, _ item: PackedItem) {
            amounts[side.id] = side.amount
            numbers[item.client, default: []] += Array(repeating: item.number, count: side.times)
        }
    }
}
