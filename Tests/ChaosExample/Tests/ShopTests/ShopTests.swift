import DurableActors
import DurableChaos
import DurableTesting
import Testing

/// What a shop promises: each sale takes one item, and callers are told how many there were.
struct Sales: SequentialModel {
    var orders: Set<Int> = []

    mutating func apply(_ order: Int) -> Int {
        orders.insert(order)
        return orders.count
    }
}

@Suite(.serialized) struct ShopTests {
    private static let orders = 1...16

    @Test(.runtime) func `the hasty shop passes its test`() async throws {
        let runtime = try TestRuntime.current
        let stock = try await runtime.getOrCreate(Stock.self, name: "stock")
        let shop = try await runtime.getOrCreate(HastyShop.self, name: "shop", stock)
        for order in Self.orders { #expect(try await shop.sell(order: order) == order) }
        #expect(try await stock.count() == 100 - Self.orders.count)
    }

    /// Sells under these faults, and says what became of the items.
    private static func sell(under faults: [ChaosFault]) async throws -> BrokenPromises? {
        try await ActorRuntime.withRuntime { runtime in
            // In one process, so that there is one that a kill can hit.
            let options = ActorOptions.resilient.shared("market")
            let stock = try await runtime.spawn(Stock.self, options: options)
            let shop = try await runtime.spawn(HastyShop.self, stock, options: options)
            let sales = AcknowledgedSums()
            try await withChaos(runtime, ChaosSchedule(faults)) {
                for order in orders { try await sales.record(-1) { try await shop.sell(order: order) } }
            }
            do {
                try sales.verify(try await stock.count(), from: 100)
                return nil
            } catch let broken as BrokenPromises {
                return broken
            }
        }
    }

    /// The same, up to three times: faults come by the clock, and how far the shop is by then differs a little.
    private static func harm(of faults: [ChaosFault]) async throws -> BrokenPromises? {
        for _ in 0..<3 { if let broken = try await sell(under: faults) { return broken } }
        return nil
    }

    @Test func `chaos finds the bug, and one kill is enough for it`() async throws {
        let chaos: [Chaos] = [
            .kill(every: .milliseconds(60)), .dropReply(every: .milliseconds(60)),
            .jumpClock(every: .milliseconds(80), by: .seconds(3600)),
            .slowDisk(every: .milliseconds(90), lasting: .milliseconds(5)),
        ]
        let faults = ChaosSchedule(chaos, seed: 42).faults(before: .milliseconds(360))
        let found = try #require(try await Self.harm(of: faults), "\(faults.count) faults do no harm")
        print("found, with \(faults.count) faults: \(found)")

        let smallest = try await shrink(faults, runsMax: 60) { try await Self.harm(of: $0) != nil }
        print("the smallest schedule: \(smallest)")
        #expect(smallest.map(\.kind) == [.kill])
    }

    @Test(.chaos(.anything(every: .milliseconds(60)), .kill(every: .milliseconds(90)), seed: 42))
    func `the mended shop keeps its promise, whatever happens`() async throws {
        let runtime = try TestRuntime.current
        var options = ActorOptions.resilient
        // Some of the faults look like crashes of the call that runs.
        options.maxCallCrashes = .unlimited
        let stock = try await runtime.getOrCreate(Stock.self, name: "stock", options: options)
        let shop = try await runtime.getOrCreate(Shop.self, name: "shop", stock, options: options)
        let sales = AcknowledgedSums()
        let recorder = HistoryRecorder<Sales>()
        for order in Self.orders {
            try await sales.record(-1) { try await recorder.record(order) { try await shop.sell(order: order) } }
        }
        try sales.verify(try await stock.count(), from: 100)
        let verdict = recorder.history.witness(from: Sales())
        #expect(verdict.isWitnessed, "\(verdict)")
    }
}
