import DurableActors

/// Has some items, and keeps them for those who have reserved one.
distributed actor Stock: DurableActor {
    @Checkpointed var left = 100
    @Checkpointed var reserved: Set<String> = []

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    /// Reserves one item under this ticket. The same ticket again is the same reservation.
    distributed func reserve(_ ticket: String) {
        guard reserved.insert(ticket).inserted else { return }
        left -= 1
    }

    distributed func count() -> Int { left }
}

/// Sells items of a stock. Has the bug.
distributed actor HastyShop: DurableActor {
    @Checkpointed var sold: [String: String] = [:]
    let stock: Stock

    init(_ stock: Stock, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
        self.stock = stock
    }

    /// Sells one item. The same order again is the same sale.
    distributed func sell(order: Int) async throws -> Int {
        guard sold["\(order)"] == nil else { return sold.count }
        let ticket = "ticket \(Int.random(in: 0..<1_000_000_000))"
        try await stock.reserve(ticket)
        // The customer pays.
        try await Task.sleep(for: .milliseconds(25))
        sold["\(order)"] = ticket
        return sold.count
    }
}

/// The same shop, mended.
distributed actor Shop: DurableActor {
    @Checkpointed var sold: [String: String] = [:]
    let stock: Stock

    init(_ stock: Stock, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
        self.stock = stock
    }

    /// Sells one item. The same order again is the same sale.
    distributed func sell(order: Int) async throws -> Int {
        guard sold["\(order)"] == nil else { return sold.count }
        let ticket = "ticket for \(order)"
        try await stock.reserve(ticket)
        // The customer pays.
        try await Task.sleep(for: .milliseconds(25))
        sold["\(order)"] = ticket
        return sold.count
    }
}
