internal import CBOR
package import DurableCore
internal import DurableLMDB

/// The registry on disk: actors, drivers and the restart ledger. Only the supervisor writes.
package final class RegistryStore {
    /// A driver that a former supervisor knew.
    package struct Driver: Sendable, Hashable, Codable {
        package var id: DriverID
        package var pid: Int32
        package var startTime: UInt64
    }

    /// What changed and is to be stored in one transaction.
    struct Changes: Sendable {
        var records: [ActorRecord] = []
        var removed: [ActorID] = []
        var drivers: [Driver] = []
        var leftDrivers: [DriverID] = []
        var ledger: [LedgerEntry] = []
        /// In the order in which it happened.
        var placement: [PlacementChange] = []

        var isEmpty: Bool {
            records.isEmpty && removed.isEmpty && drivers.isEmpty && leftDrivers.isEmpty && ledger.isEmpty
                && placement.isEmpty
        }
    }

    static let format = StoreFormat(name: "durable-registry", version: 1)
    static let names = ["meta", "actors", "drivers", "ledger"]
    private static let nextShardKey = Array("nextShard".utf8)
    private let layout: RuntimeLayout
    private let options: EnvironmentOptions
    private var environment: Environment
    private var ledgerNext: UInt64
    /// Told of each fault point that is passed.
    var passes: (FaultPoint) -> Void = { _ in }

    /// Opens the registry, or creates it.
    package init(_ layout: RuntimeLayout, readOnly: Bool = false) throws(ActorError) {
        var options = EnvironmentOptions(format: Self.format, databases: Self.names)
        options.readOnly = readOnly
        (self.layout, self.options) = (layout, options)
        do {
            environment = try Environment.open(directory: layout.supervisor, options: options)
            let ledger = environment.database("ledger")
            ledgerNext = try environment.tryRead { transaction throws in
                try transaction.last(in: ledger).map { Self.number($0.key) + 1 } ?? 1
            }
        } catch {
            throw Self.convert(error, layout.supervisor)
        }
    }

    /// Looks at every page and row, for which the environment is closed and opened again.
    /// - Returns: What is wrong, or was never written by this build; `nil` when nothing is.
    func damage() throws(ActorError) -> String? {
        environment.close()
        let report = RegistryFile.verify(layout.supervisor)
        do {
            environment = try Environment.open(directory: layout.supervisor, options: options)
        } catch {
            throw Self.convert(error, layout.supervisor)
        }
        return report.findings.first ?? report.notes.first
    }

    /// All records, and the number of the next shard; `nil` in a registry that was never written.
    package func load() throws(ActorError) -> (records: [ActorRecord], drivers: [Driver], nextShard: ShardNumber?) {
        do {
            return try environment.tryRead { transaction throws in
                let records = try rows("actors", ActorRecord.self, transaction)
                let drivers = try rows("drivers", Driver.self, transaction)
                let next = try transaction.get(Self.nextShardKey, in: environment.database("meta"))
                return (records, drivers, try next.map { Self.number(try StoredValue.open($0).payload) })
            }
        } catch {
            throw Self.convert(error, "the registry")
        }
    }

    /// The newest entries of the ledger, oldest first.
    package func ledger(newest count: Int) throws(ActorError) -> [LedgerEntry] {
        do {
            let first = ledgerNext > UInt64(count) ? ledgerNext - UInt64(count) : 0
            return try environment.tryRead { transaction throws in
                var entries: [LedgerEntry] = []
                for number in first..<ledgerNext {
                    let value = try transaction.get(Self.key(number), in: environment.database("ledger"))
                    if let value { entries.append(try Self.decode(LedgerEntry.self, value)) }
                }
                return entries
            }
        } catch {
            throw Self.convert(error, "the registry")
        }
    }

    /// Stores changes durably, all or none.
    /// - Throws: `storageFull` or `storageFailed` when the disk is to blame; nothing is stored then, unless the disk has
    ///   written and said that it had failed.
    func write(_ changes: Changes, nextShard: ShardNumber) throws(ActorError) {
        try reopenIfBroken()
        let (actors, drivers) = (environment.database("actors"), environment.database("drivers"))
        let (ledger, meta) = (environment.database("ledger"), environment.database("meta"))
        let firstEntry = ledgerNext
        do {
            try environment.tryWrite { transaction throws in
                for record in changes.records {
                    try transaction.put(record.id.bytes, try Self.encode(record), in: actors)
                }
                for id in changes.removed { _ = try transaction.delete(id.bytes, in: actors) }
                for driver in changes.drivers {
                    try transaction.put(driver.id.bytes, try Self.encode(driver), in: drivers)
                }
                for id in changes.leftDrivers { _ = try transaction.delete(id.bytes, in: drivers) }
                for (offset, entry) in changes.ledger.enumerated() {
                    let number = firstEntry + UInt64(offset)
                    try transaction.put(Self.key(number), try Self.encode(entry), in: ledger)
                    if number > Limits.ledgerEntriesMax {
                        _ = try transaction.delete(Self.key(number - UInt64(Limits.ledgerEntriesMax)), in: ledger)
                    }
                }
                for change in changes.placement {
                    if let row = try change.row.map(Self.seal) {
                        try transaction.put(change.key, row, in: meta)
                    } else {
                        _ = try transaction.delete(change.key, in: meta)
                    }
                }
                try transaction.put(Self.nextShardKey, StoredValue.seal(Self.key(nextShard)), in: meta)
                self.passes(.supervisorInsideRegistryWrite)
            }
            ledgerNext += UInt64(changes.ledger.count)
        } catch {
            throw Self.failure(error)
        }
    }

    /// A disk that has failed leaves an environment that must not be written any more, also when the disk works again.
    private func reopenIfBroken() throws(ActorError) {
        guard environment.mustReopen else { return }
        environment.close()
        do {
            environment = try Environment.open(directory: layout.supervisor, options: options)
        } catch {
            throw Self.failure(error)
        }
    }

    /// The nodes that were added.
    package func nodes() throws(ActorError) -> [NodeDeclaration] { try meta(PlacementChange.nodePrefix) }

    /// The placement groups.
    package func placementGroups() throws(ActorError) -> [PlacementGroupRecord] {
        try meta(PlacementChange.groupPrefix)
    }

    private func meta<Row: Decodable & Sendable>(_ prefix: [UInt8]) throws(ActorError) -> [Row] {
        do {
            return try environment.tryRead { transaction throws in
                try rows("meta", prefix: prefix, Row.self, transaction)
            }
        } catch {
            throw Self.convert(error, "the registry")
        }
    }

    package func close() { environment.close() }

    private func rows<Row: Decodable>(
        _ database: String,
        prefix: [UInt8] = [],
        _ type: Row.Type,
        _ transaction: borrowing ReadTransaction
    ) throws -> [Row] {
        var values: [[UInt8]] = []
        try transaction.forEach(prefix: prefix, in: environment.database(database)) { _, value in
            values.append(Array(value))
            return true
        }
        return try values.map { try Self.decode(Row.self, $0) }
    }

    private static func encode(_ value: some Encodable) throws -> [UInt8] { seal(try CBOREncoder().encode(value)) }

    private static func seal(_ payload: [UInt8]) -> [UInt8] { StoredValue.seal(payload) }

    private static func decode<Value: Decodable>(_ type: Value.Type, _ stored: [UInt8]) throws -> Value {
        try CBORDecoder().decode(Value.self, from: StoredValue.open(stored).payload)
    }

    private static func key(_ number: UInt64) -> [UInt8] {
        var writer = ByteWriter(reserving: 8)
        writer.writeBigEndian(number)
        return writer.bytes
    }

    private static func number(_ key: some Sequence<UInt8>) -> UInt64 { key.reduce(0) { $0 << 8 | UInt64($1) } }

    /// What somebody is told whose wish could not be stored.
    private static func failure(_ error: any Error) -> ActorError {
        guard let error = error as? LMDBError, [.ioError, .panic].contains(error.code) else {
            return convert(error, "the registry")
        }
        return ActorError(
            .storageFailed,
            "the registry could not be stored, and nothing was changed",
            cause: error.message
        )
    }

    private static func convert(_ error: any Error, _ path: String) -> ActorError {
        guard let error = error as? LMDBError else {
            return ActorError(.directoryUnusable, "\(path) cannot be read; its bytes are kept", cause: "\(error)")
        }
        return switch error.code {
        case .noSpace, .mapFull: ActorError(.storageFull, error.message)
        default: ActorError(.directoryUnusable, error.message)
        }
    }
}
