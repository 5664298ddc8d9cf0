import DurableCore
import DurableLMDB
import Foundation
import Testing

@testable import DurableSupervisor

@Suite(.timeLimit(.minutes(1)))
struct RegistryStoreTests {
    private let folder: Folder

    init() throws {
        folder = try Folder()
        try RuntimeDirectory.prepare(folder.layout)
    }

    private func record(_ number: UInt64) -> ActorRecord {
        var record = ActorRecord(
            id: ActorID(high: 0, low: number),
            typeName: "1T",
            typeDescription: "T",
            arguments: [1, 2, 3],
            options: .resilient.detached(name: "name\(number)"),
            owner: .detached,
            executable: "/bin/true",
            shard: number
        )
        record.incarnation = number * 10
        record.worker = WorkerIdentity(pid: 7, startTime: 8, serial: 9)
        return record
    }

    private func entry(_ number: UInt64) -> LedgerEntry {
        LedgerEntry(
            record: record(number),
            pid: 7,
            cause: .signal(number: 9),
            isRestarted: true,
            milliseconds: Int64(number),
            stderrTail: "tail \(number)"
        )
    }

    private func driver(_ number: UInt64) -> RegistryStore.Driver {
        RegistryStore.Driver(id: DriverID(high: 0, low: number), pid: 5, startTime: number)
    }

    private func withStore<Result>(_ body: (RegistryStore) throws -> Result) throws -> Result {
        let store = try RegistryStore(folder.layout)
        defer { store.close() }
        return try body(store)
    }

    /// Reads and changes the raw rows of a registry that nobody has open.
    private func withRows(
        _ format: StoreFormat = StoreFormat(name: "durable-registry", version: 1),
        _ body: (inout WriteTransaction, Environment) throws -> Void
    ) throws {
        let options = EnvironmentOptions(format: format, databases: ["meta", "actors", "drivers", "ledger"])
        let environment = try Environment.open(directory: folder.layout.supervisor, options: options)
        defer { environment.close() }
        try environment.tryWrite { try body(&$0, environment) }
    }

    private func key(_ number: UInt64) -> [UInt8] { withUnsafeBytes(of: number.bigEndian) { Array($0) } }

    @Test func anEmptyRegistryHasNothingAndSaysThatItIsNew() throws {
        let loaded = try withStore { try $0.load() }
        #expect(loaded.records.isEmpty && loaded.drivers.isEmpty && loaded.nextShard == nil)
        #expect(try withStore { try $0.ledger(newest: 10) }.isEmpty)
    }

    @Test func everythingComesBackAfterTheRegistryIsOpenedAgain() throws {
        var ended = record(2)
        (ended.ended, ended.owner) = (.quarantined(message: "bad"), .actor(ActorID(high: 0, low: 1)))
        try withStore { store throws in
            var changes = RegistryStore.Changes()
            #expect(changes.isEmpty)
            changes.records = [record(1), ended, record(3)]
            changes.drivers = [driver(1), driver(2)]
            changes.ledger = [entry(1), entry(2)]
            #expect(!changes.isEmpty)
            try store.write(changes, nextShard: 300)
            var second = RegistryStore.Changes()
            (second.removed, second.leftDrivers) = ([record(3).id, record(4).id], [driver(1).id, driver(9).id])
            second.ledger = [entry(3)]
            try store.write(second, nextShard: 301)
        }
        try withStore { store throws in
            let loaded = try store.load()
            #expect(loaded.records == [record(1), ended])
            #expect(loaded.drivers == [driver(2)])
            #expect(loaded.nextShard == 301)
            #expect(try store.ledger(newest: 100) == [entry(1), entry(2), entry(3)])
            #expect(try store.ledger(newest: 2) == [entry(2), entry(3)])
            #expect(try store.ledger(newest: 0).isEmpty)
        }
    }

    @Test func aReadOnlyRegistryCanBeReadAndNotWritten() throws {
        try withStore { store throws in
            var changes = RegistryStore.Changes()
            changes.records = [record(1)]
            try store.write(changes, nextShard: 2)
        }
        let store = try RegistryStore(folder.layout, readOnly: true)
        defer { store.close() }
        #expect(try store.load().records == [record(1)])
        #expect(actorError { try store.write(RegistryStore.Changes(), nextShard: 3) }?.code == .directoryUnusable)
    }

    @Test func theLedgerKeepsItsNewestEntriesUpToItsBound() throws {
        let max = UInt64(Limits.ledgerEntriesMax)
        try withStore { store throws in
            var changes = RegistryStore.Changes()
            changes.ledger = (1...4).map { entry($0) }
            try store.write(changes, nextShard: 1)
        }
        // As if the entries between had been written too.
        try withRows { transaction, environment throws in
            let ledger = environment.database("ledger")
            let row = try transaction.get(key(4), in: ledger)
            try transaction.put(key(max), try #require(row), in: ledger)
        }
        try withStore { store throws in
            var changes = RegistryStore.Changes()
            changes.ledger = [entry(50), entry(51)]
            try store.write(changes, nextShard: 1)
            changes.ledger = [entry(52)]
            try store.write(changes, nextShard: 1)
            #expect(try store.ledger(newest: 3) == [entry(50), entry(51), entry(52)])
        }
        try withRows { transaction, environment throws in
            let numbers = try transaction.entries(prefix: [], in: environment.database("ledger")).map { Array($0.key) }
            #expect(numbers == [4, max, max + 1, max + 2, max + 3].map(key))
        }
    }

    @Test(arguments: ["actors", "drivers", "ledger", "meta"])
    func aDamagedRowGivesAClearErrorAndIsKept(database: String) throws {
        try withStore { store throws in
            var changes = RegistryStore.Changes()
            (changes.records, changes.drivers, changes.ledger) = ([record(1)], [driver(1)], [entry(1)])
            try store.write(changes, nextShard: 2)
        }
        var damaged: (key: [UInt8], value: [UInt8]) = ([], [])
        try withRows { transaction, environment throws in
            let rows = try transaction.entries(prefix: [], in: environment.database(database))
            let row = try #require(rows.first { database != "meta" || $0.key.elementsEqual("nextShard".utf8) })
            damaged = (Array(row.key), Array(row.value))
            damaged.value[14] ^= 1
            try transaction.put(damaged.key, damaged.value, in: environment.database(database))
        }
        let error = try withStore { store throws in
            actorError { if database == "ledger" { _ = try store.ledger(newest: 1) } else { _ = try store.load() } }
        }
        #expect(error?.code == .directoryUnusable)
        #expect(error?.message.contains("its bytes are kept") == true)
        #expect(error?.cause?.contains("checksum") == true)
        try withRows { transaction, environment throws in
            let value = try transaction.get(damaged.key, in: environment.database(database))
            #expect(value == damaged.value)
        }
    }

    @Test(arguments: [("durable-registry", 2), ("durable-shard", 1)])
    func aRegistryOfANewerVersionOrAnotherKindIsRefused(name: String, version: Int) throws {
        try withRows(StoreFormat(name: name, version: version)) { _, _ in }
        let error = actorError { try RegistryStore(folder.layout).close() }
        #expect(error?.code == .directoryUnusable)
        #expect(error?.message.contains(folder.layout.supervisor) == true, "\(error?.message ?? "")")
        #expect(error?.message.contains("\(version)") == true || error?.message.contains(name) == true)
    }

    @Test func aFileThatIsNoRegistryIsRefusedAndKept() throws {
        let file = URL(fileURLWithPath: folder.layout.supervisor + "/data.mdb")
        let bytes = Data((0..<8192).map { UInt8($0 & 0xFF) })
        try bytes.write(to: file)
        let error = actorError { try RegistryStore(folder.layout).close() }
        #expect(error?.code == .directoryUnusable)
        #expect(error?.message.contains(folder.layout.supervisor) == true, "\(error?.message ?? "")")
        #expect(try Data(contentsOf: file) == bytes)
    }
}
