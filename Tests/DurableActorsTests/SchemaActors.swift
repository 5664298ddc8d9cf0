import DurableActors
import Glibc

/// Builds of one actor, oldest first: properties are renamed, added and left out, without a version step.
distributed actor Purse1: DurableActor {
    @Checkpointed var amount = 0
    @Checkpointed var log = CheckpointedArray<String>()
    @Checkpointed var owner = "nobody"

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func add(_ amount: Int) -> Int {
        self.amount += amount
        log.append("\(amount)")
        return self.amount
    }

    distributed func own(_ name: String) { owner = name }

    distributed func read() -> [String] { ["\(amount)", owner] + Array(log) }
}

distributed actor Purse2: DurableActor {
    @Checkpointed(renamedFrom: "sum", "amount") var total = 0
    @Checkpointed(renamedFrom: "log") var journal = CheckpointedArray<String>()
    @Checkpointed var limit = 100
    @Checkpointed var tags: CheckpointedSet<String> = ["new"]

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func add(_ amount: Int) -> Int {
        total += amount
        return total
    }

    distributed func rewrite(_ text: String) { journal[0] = text }

    distributed func clear() { journal.removeAll() }

    distributed func tag(_ text: String) { tags.insert(text) }

    distributed func read() -> [String] { ["\(total)", "\(limit)"] + Array(tags) + Array(journal) }
}

/// Knows only one property, of which the older builds have stored others beside.
distributed actor Purse3: DurableActor {
    @Checkpointed var owner = "nobody"

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    static var unknownPropertyGrace: Duration? { .seconds(3600) }

    distributed func read() -> String { owner }
}

/// Two properties claim the same former one.
distributed actor PurseTorn: DurableActor {
    @Checkpointed(renamedFrom: "amount") var left = 0
    @Checkpointed(renamedFrom: "amount") var right = 0

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func read() -> Int { left + right }
}

/// Builds of one actor, oldest first, whose types do not fit together without a migration.
distributed actor Wallet1: DurableActor {
    @Checkpointed var balance = "0"
    @Checkpointed var entries = CheckpointedDictionary<String, Int>()
    @Checkpointed var members: CheckpointedSet<Int> = []
    @Checkpointed var lines = CheckpointedArray<String>()
    @Checkpointed var list: [Int] = [1, 2]
    @Checkpointed var note = "kept"

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func put(_ count: Int) {
        balance = "\(count)"
        for number in 0..<count {
            entries["\(number)"] = number
            members.insert(number)
            lines.append("line \(number)")
        }
    }

    distributed func read() -> [Int] { [Int(balance) ?? -1, entries.count, members.count, lines.count] }
}

struct WalletEntry: Codable, Sendable, Equatable {
    var amount: Int
    var text: String?
}

/// What a test wants to know of all of a wallet.
struct WalletContents: Codable, Sendable, Equatable {
    var balance: Int
    var entries: [Int: WalletEntry]
    var members: [String]
    var lines: [Int]
    var list: [Int]
    var note: String
}

distributed actor Wallet2: DurableActor {
    @Checkpointed var cents = 0
    @Checkpointed var items = CheckpointedDictionary<Int, WalletEntry>()
    @Checkpointed var members: CheckpointedSet<String> = []
    @Checkpointed var lines = CheckpointedArray<Int>()
    @Checkpointed var list = CheckpointedArray<Int>()
    @Checkpointed var note = "default"

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    static var schemaVersion: Int { 2 }

    static func migrate(_ state: inout StoredState, from version: Int) throws {
        let balance = try state.decode(String.self, "balance") ?? "0"
        try state.set("cents", (Int(balance) ?? 0) * 100)
        state.remove("balance")
        try state.mapDictionary("entries") { (key: String, amount: Int) -> (Int, WalletEntry)? in
            (Int(key) ?? -1, WalletEntry(amount: amount * 100))
        }
        state.rename("entries", to: "items")
        try state.mapSet("members") { (old: Int) in old < 1000 ? "member \(old)" : nil }
        try state.mapArray("lines") { (old: String) in Int(old.dropFirst(5)) }
        let list = try state.decode([Int].self, "list") ?? []
        try state.makeArray("list") { add in for element in list { try add(element) } }
    }

    distributed func read() -> WalletContents {
        WalletContents(
            balance: cents,
            entries: Dictionary(uniqueKeysWithValues: items.map { ($0.key, $0.value) }),
            members: Array(members),
            lines: Array(lines),
            list: Array(list),
            note: note
        )
    }

    distributed func add() {
        items[-1] = WalletEntry(amount: 1, text: "new")
        lines.prepend(-1)
    }
}

/// As the second build, but it lets no older one go on.
distributed actor Wallet2Strict: DurableActor {
    @Checkpointed var balance = 0

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    static var schemaVersion: Int { 3 }
    static var oldestReaderVersion: Int { 2 }

    static func migrate(_ state: inout StoredState, from version: Int) throws {
        let balance = try state.decode(String.self, "balance") ?? "0"
        try state.set("balance", Int(balance) ?? 0)
    }

    distributed func read() -> Int { balance }
}

/// Dies in the middle of its migration, as often as the file that the state names has fewer lines than the balance.
distributed actor Wallet2Dying: DurableActor {
    @Checkpointed var note = ""
    @Checkpointed var balance = 0
    @Checkpointed var entries = CheckpointedDictionary<String, String>()

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    static var schemaVersion: Int { 2 }

    static func migrate(_ state: inout StoredState, from version: Int) throws {
        let log = try state.decode(String.self, "note") ?? ""
        let times = Int(try state.decode(String.self, "balance") ?? "") ?? 0
        try state.set("balance", times)
        try state.mapDictionary("entries") { (key: String, value: Int) in (key, "\(value)") }
        if Attempts.note(in: log) <= times { raise(SIGKILL) }
    }

    distributed func read() -> [String] { ["\(balance)"] + entries.values }
}

/// Writes what the dying build needs.
distributed actor Wallet1Dying: DurableActor {
    @Checkpointed var note = ""
    @Checkpointed var balance = "2"
    @Checkpointed var entries = CheckpointedDictionary<String, Int>()

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func put(_ log: String, _ count: Int) {
        note = log
        for number in 0..<count { entries["key \(number)"] = number }
    }
}

/// Its migration throws behind changes that it has made.
distributed actor Wallet2Throwing: DurableActor {
    @Checkpointed var balance = 0

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    static var schemaVersion: Int { 2 }

    static func migrate(_ state: inout StoredState, from version: Int) throws {
        state.remove("note")
        try state.mapArray("lines") { (old: String) in old + "!" }
        throw Refusal(reason: "no balance in \(version)")
    }

    distributed func read() -> Int { balance }
}

/// Its migration leaves what its properties cannot read.
distributed actor Wallet2Wrong: DurableActor {
    @Checkpointed var balance = 0

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    static var schemaVersion: Int { 2 }

    static func migrate(_ state: inout StoredState, from version: Int) throws { try state.set("balance", "zero") }

    distributed func read() -> Int { balance }
}

/// Types of properties changed, without a version step and a migration.
distributed actor WalletOfOtherValue: DurableActor {
    @Checkpointed var balance = 0

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func read() -> Int { balance }
}

distributed actor WalletOfValueForCollection: DurableActor {
    @Checkpointed var entries: [String: Int] = [:]

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func read() -> Int { entries.count }
}

distributed actor WalletOfCollectionForValue: DurableActor {
    @Checkpointed var list = CheckpointedArray<Int>()

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func read() -> Int { list.count }
}

distributed actor WalletOfOtherCollection: DurableActor {
    @Checkpointed var members = CheckpointedArray<Int>()

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func read() -> Int { members.count }
}

distributed actor WalletOfOtherEntries: DurableActor {
    @Checkpointed var entries = CheckpointedDictionary<String, WalletEntry>()

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func count() -> Int { entries.count }

    distributed func read() -> WalletEntry? { entries["0"] }
}
