internal import CBOR
package import DurableCore
package import DurableLMDB

/// A registry's file, read page by page and without the supervisor's trust in it.
package enum RegistryFile {
    /// What was found.
    package struct Report: Sendable {
        /// What is wrong, one sentence each.
        package var findings: [String] = []
        /// What is unusual and harms nobody.
        package var notes: [String] = []
        /// The actors that can be read.
        package var records: [ActorRecord] = []
        /// Rows that were read.
        package var rows = 0
        /// Pages that hold something, and those that can be used again.
        package var pages: (used: UInt64, free: UInt64) = (0, 0)
    }

    /// What a registry's files are.
    package static var format: StoreFormat { RegistryStore.format }

    /// Looks at every page and row of a registry; the files are not changed.
    package static func verify(_ directory: String) -> Report {
        do throws(LMDBError) {
            return verify(try FileView.open(directory, expecting: format))
        } catch {
            return Report(findings: [error.message])
        }
    }

    /// Looks at every page and row of one view.
    package static func verify(_ view: FileView) -> Report {
        var report = Report()
        var check = FileCheck(view)
        func look(_ database: String, _ body: (_ key: ArraySlice<UInt8>, _ payload: ArraySlice<UInt8>) throws -> Void) {
            if !check.databases.contains(database) { report.findings.append("there is no database \"\(database)\"") }
            check.rows(of: database) { key, value in
                report.rows += 1
                do {
                    try body(key, StoredValue.open(Array(value)).payload)
                } catch {
                    report.findings.append("a row of the registry's \"\(database)\": \(error)")
                }
            }
        }
        look("meta") { _, _ in }
        look("actors") { key, payload in
            let record = try CBORDecoder().decode(ActorRecord.self, from: payload)
            guard ActorID(bytes: key) == record.id else { throw MalformedBytes("\(record.id) is under another key") }
            report.records.append(record)
        }
        look("drivers") { _, payload in _ = try CBORDecoder().decode(RegistryStore.Driver.self, from: payload) }
        look("ledger") { _, payload in _ = try CBORDecoder().decode(LedgerEntry.self, from: payload) }
        for name in check.databases where !RegistryStore.names.contains(name) {
            report.notes.append("this build does not know the database \"\(name)\": only its pages were looked at")
        }
        check.finish()
        let shards = Dictionary(grouping: report.records.filter { $0.ended == nil }, by: \.shard)
        for (shard, records) in shards.sorted(by: { $0.key < $1.key }) {
            // A group's record stands for its shard, and its actors say which group theirs is.
            let owners = Set(records.map { $0.group ?? $0.id })
            guard owners.count > 1 else { continue }
            report.findings.append("shard \(shard) belongs to \(owners.count) actors or groups")
        }
        report.findings = check.faults + report.findings
        report.pages = (check.pagesUsed, check.pagesFree)
        return report
    }

    /// The actors of a view that have not ended.
    /// - Throws: When the registry is damaged.
    package static func living(_ view: FileView) throws(ActorError) -> [ActorRecord] {
        var check = FileCheck(view)
        var (records, problem): ([ActorRecord], String?) = ([], nil)
        check.rows(of: "actors") { _, value in
            do {
                let payload = try StoredValue.open(Array(value)).payload
                records.append(try CBORDecoder().decode(ActorRecord.self, from: payload))
            } catch {
                problem = "\(error)"
            }
        }
        if let problem = problem ?? check.faults.first {
            throw ActorError(.directoryUnusable, "the registry in \(view.directory) is damaged: \(problem)")
        }
        return records.filter { $0.ended == nil }
    }
}

extension RegistryStore {
    /// Forgets the processes of a registry that was copied from elsewhere: those with their numbers are others.
    package func forgetProcesses() throws(ActorError) {
        let stored = try load()
        var changes = Changes()
        changes.records = stored.records.filter { $0.worker != nil }.map { record in
            var record = record
            record.worker = nil
            return record
        }
        changes.leftDrivers = stored.drivers.map(\.id)
        guard !changes.isEmpty, let next = stored.nextShard else { return }
        try write(changes, nextShard: next)
    }

    /// Adds an actor whose shard is there already. Only where no supervisor runs.
    package func add(_ record: ActorRecord) throws(ActorError) {
        let stored = try load()
        var changes = Changes()
        changes.records = [record]
        try write(changes, nextShard: max(stored.nextShard ?? 1, record.shard + 1))
    }
}
