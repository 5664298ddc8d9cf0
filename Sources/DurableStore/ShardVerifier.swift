internal import CBOR
package import DurableCore
package import DurableLMDB

/// Looks at everything that a shard's file holds: pages, rows, checksums, and what refers to what.
///
/// Reads the file page by page and trusts nothing in it; goes on after a finding. It holds no more than one value and
/// a few numbers for each row set in memory.
package final class ShardVerifier {
    /// What was found.
    package struct Report: Sendable, Hashable {
        /// What is wrong, one sentence each; nothing in a sound shard.
        package var findings: [String] = []
        /// What is unusual and harms nobody.
        package var notes: [String] = []
        /// Who lives in the shard.
        package var actors: [ActorID] = []
        /// Its owner and version.
        package var fence: Fence?
        /// Rows that were read.
        package var rows = 0
        /// Pages that hold something, and those that can be used again.
        package var pages: (used: UInt64, free: UInt64) = (0, 0)

        package static func == (one: Report, other: Report) -> Bool {
            one.findings == other.findings && one.notes == other.notes && one.actors == other.actors
                && one.fence == other.fence && one.rows == other.rows && one.pages == other.pages
        }

        package func hash(into hasher: inout Hasher) { hasher.combine(findings) }
    }

    /// What the rows of a row set add up to.
    struct RowSet {
        var rows = 0
        var bytes: UInt64 = 0
        var first: [UInt8] = []
        var last: [UInt8] = []
        var isNumbered = true
        var reference: Reference?
    }

    /// Why a row set is there.
    enum Reference {
        case collection(CollectionHeader, property: String)
        case portions(length: UInt64, of: String)
        case kept
        case discarded
    }

    private static let findingsMax = 200

    private init() {}

    var report = Report()
    var sets: [RowSetID: RowSet] = [:]
    /// Row sets that rows refer to, in the order in which they were met.
    var references: [(rows: RowSetID, reference: Reference)] = []
    private var actors: Set<ActorID> = []

    /// Verifies a shard.
    /// - Parameter directory: The shard's directory; the files are not changed.
    package static func verify(_ directory: String) -> Report {
        do throws(LMDBError) {
            return verify(try FileView.open(directory, expecting: ShardLayout.format))
        } catch {
            return Report(findings: [error.message])
        }
    }

    /// Verifies one view of a shard.
    package static func verify(_ view: FileView) -> Report {
        let verifier = ShardVerifier()
        var check = FileCheck(view)
        verifier.look(&check)
        return verifier.report
    }

    private func look(_ check: inout FileCheck) {
        for name in ShardLayout.databases where !check.databases.contains(name) && name != ShardLayout.history {
            find("there is no database \"\(name)\"")
        }
        for name in check.databases where !ShardLayout.databases.contains(name) {
            report.notes.append("this build does not know the database \"\(name)\": only its pages were looked at")
        }
        lookAtOwners(&check)
        lookAtState(&check)
        lookAtHistory(&check)
        lookAtEntries(&check)
        lookAtCompletions(&check)
        lookAtKeyedCalls(&check)
        check.finish()
        settle()
        report.findings = check.faults + report.findings
        report.pages = (check.pagesUsed, check.pagesFree)
    }

    private func lookAtOwners(_ check: inout FileCheck) {
        check.rows(of: ShardLayout.meta) { key, value in
            read("\(String(decoding: key, as: UTF8.self)) of the shard") {
                switch Array(key) {
                case ShardLayout.fenceKey: report.fence = try Fence(decoding: Array(value))
                case ShardLayout.clockKey: _ = try ShardClock(decoding: Array(value))
                case ShardLayout.contentsKey: _ = try ContentsSum(decoding: Array(value))
                default: _ = try StoredValue.openAny(Array(value))
                }
            }
        }
        check.rows(of: ShardLayout.actors) { key, value in
            read("an actor") {
                guard let id = ActorID(bytes: key) else { throw MalformedBytes("a key has \(key.count) bytes") }
                actors.insert(id)
                report.actors.append(id)
                _ = try CBORDecoder().decode(StoredActor.self, from: StoredValue.open(Array(value)).payload)
            }
        }
        if report.fence == nil, !actors.isEmpty { find("the shard has actors and no readable fence") }
    }

    private func lookAtState(_ check: inout FileCheck) {
        check.rows(of: ShardLayout.state) { key, value in
            let (actor, name) = (ActorID(bytes: key.prefix(16)), String(decoding: key.dropFirst(16), as: UTF8.self))
            read("property \"\(name)\" of actor \(actor.map { "\($0)" } ?? "?")") {
                guard let actor, actors.contains(actor) else { throw MalformedBytes("there is no such actor") }
                guard String(validating: key.dropFirst(16), as: UTF8.self) != nil, !name.isEmpty else {
                    throw MalformedBytes("its name is no text")
                }
                try open(Array(value), as: "property \"\(name)\"")
            }
        }
        check.rows(of: ShardLayout.discarded) { key, value in
            read("a discarded row set") {
                guard key.count == 8 else { throw MalformedBytes("a key has \(key.count) bytes") }
                _ = try StoredValue.open(Array(value))
                references.append((UInt64(bigEndian: key), .discarded))
            }
        }
    }

    private func lookAtHistory(_ check: inout FileCheck) {
        var (head, version, rows, discards): (HistoryEntry?, UInt64, Int, [RowSetID]) = (nil, 0, 0, [])
        func finish() {
            guard let head, head.rows != rows else { return }
            find("version \(version) of the history has \(rows) of \(head.rows) rows")
        }
        check.rows(of: ShardLayout.history) { key, value in
            read("the history") {
                guard key.count == 28, let actor = ActorID(bytes: key.prefix(16)) else {
                    throw MalformedBytes("a key has \(key.count) bytes")
                }
                guard actors.contains(actor) else { throw MalformedBytes("there is no actor \(actor)") }
                let found = UInt64(bigEndian: key.dropFirst(16))
                if key.suffix(4).allSatisfy({ $0 == 0 }) {
                    finish()
                    let entry = try HistoryEntry(decoding: Array(value))
                    (head, version, rows) = (entry, found, 0)
                    discards += entry.discards
                } else {
                    guard head != nil, found == version else {
                        throw MalformedBytes("version \(found) has no beginning")
                    }
                    rows += 1
                    let row = try UndoLog.Row(decoding: Array(value))
                    // What it refers to is listed with the commit that replaced it, or is part of the state again.
                    if let old = row.old { _ = try StoredValue.openAny(old) }
                }
            }
        }
        finish()
        references += discards.map { ($0, .kept) }
    }

    private func lookAtEntries(_ check: inout FileCheck) {
        check.rows(of: ShardLayout.entries) { key, value in
            let number = UInt64(bigEndian: key)
            read("an entry of row set \(number)") {
                guard key.count > 8 else { throw MalformedBytes("a key has \(key.count) bytes") }
                var set = sets[number] ?? RowSet()
                let rest = Array(key.dropFirst(8))
                if set.rows == 0 { set.first = rest }
                if rest != withUnsafeBytes(of: UInt32(set.rows).bigEndian, { Array($0) }) { set.isNumbered = false }
                set.last = rest
                set.rows += 1
                sets[number] = set
                let opened = try StoredValue.openAny(Array(value))
                sets[number]?.bytes += UInt64(opened.payload.count)
                guard opened.kind != .collection else { throw MalformedBytes("a collection's header stands there") }
                if opened.kind == .portions { try open(Array(value), as: "an entry of row set \(number)") }
            }
        }
    }

    private func lookAtCompletions(_ check: inout FileCheck) {
        check.rows(of: ShardLayout.done) { key, value in
            read("a completion record") {
                guard key.count == 40, let actor = ActorID(bytes: key.prefix(16)),
                    let session = SessionID(bytes: key.dropFirst(16).prefix(16))
                else { throw MalformedBytes("a key has \(key.count) bytes") }
                let sequence = UInt64(bigEndian: key.dropFirst(32))
                guard actors.contains(actor) else {
                    throw MalformedBytes("call \(sequence) of session \(session) was for \(actor), which is not there")
                }
                if sequence == 0 {
                    _ = try SessionRow(decoding: Array(value))
                } else {
                    _ = try Completion(decoding: Array(value), id: CallID(session: session, sequence: sequence))
                }
            }
        }
    }

    /// Records of calls with a key, and of calls that must not be run.
    private func lookAtKeyedCalls(_ check: inout FileCheck) {
        check.rows(of: ShardLayout.keyed) { key, value in
            read("a record of a call with a key") {
                guard key.count == 32, let actor = ActorID(bytes: key.prefix(16)) else {
                    throw MalformedBytes("a key has \(key.count) bytes")
                }
                guard actors.contains(actor) else { throw MalformedBytes("there is no actor \(actor)") }
                _ = try KeyedRow(decoding: Array(value))
            }
        }
        check.rows(of: ShardLayout.dead) { key, value in
            read("a dead letter") {
                guard key.count == 40 else { throw MalformedBytes("a key has \(key.count) bytes") }
                _ = try CBORDecoder().decode(
                    StoredDeadLetter.self,
                    from: StoredValue.open(Array(value)).payload
                )
            }
        }
    }

    /// Opens a value and notes what it refers to.
    private func open(_ row: [UInt8], as what: String) throws {
        let opened = try StoredValue.openAny(row)
        switch opened.kind {
        case .value:
            _ = try CBORDecoder().decode(CBORValue.self, from: opened.payload)
        case .portions:
            let portions = try PortionsReference(decoding: opened.payload)
            references.append((portions.rows, .portions(length: portions.length, of: what)))
        case .collection:
            let header = try CBORDecoder().decode(CollectionHeader.self, from: opened.payload)
            references.append((header.rows, .collection(header, property: what)))
        }
    }

    private func read(_ what: String, _ body: () throws -> Void) {
        report.rows += 1
        do { try body() } catch { find("\(what): \(error)") }
    }

    func find(_ what: String) {
        if report.findings.count < Self.findingsMax { report.findings.append(what) }
    }
}
