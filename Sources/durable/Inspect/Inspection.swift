internal import CBOR
internal import DurableCore
internal import DurableStore
internal import DurableSupervisor

/// What the files of a data directory say.
struct Inspection {
    /// An actor, from the registry and from its shard.
    struct Actor {
        var record: ActorRecord
        var isProcessAlive: Bool
        /// Empty before the first life has stored anything.
        var fields: [String: StoredField] = [:]
        /// The first entries of its collections.
        var entries: [String: [StoredEntry]] = [:]
        var completions = 0
        /// Calls that crashed its workers and will not be run again.
        var deadLetters: [DeadLetter] = []
        var fence: Fence?
        /// For how long its process has been silent, when that is long.
        var silence: Duration?
        /// Why the shard could not be read, if it could not.
        var problem: String?

        var title: String { record.options.name ?? record.id.description }
    }

    /// Entries of a collection that are shown.
    private static let entriesMax = 1_000

    private let directory: String
    private var actors: [Actor]
    private var deaths: [LedgerEntry]
    /// `nil` when one actor was chosen.
    private var resources: ResourceInspection?

    /// Reads a directory.
    init(_ directory: String, deaths: Int) throws {
        let layout = RuntimeLayout(directory: directory)
        guard Files.exists(directory) else { throw Failure("there is no directory \(directory)") }
        guard Files.isDirectory(directory) else { throw Failure("\(directory) is not a directory") }
        guard Files.exists("\(layout.supervisor)/data.mdb") else {
            throw Failure("\(directory) is not the directory of a runtime: it holds no registry")
        }
        self.directory = directory
        let registry = try RegistryStore(layout, readOnly: true)
        defer { registry.close() }
        let records = try registry.load().records.sorted { $0.shard < $1.shard }
        actors = records.map { Self.read($0, layout) }
        resources = ResourceInspection(
            nodes: try registry.nodes(),
            placementGroups: try registry.placementGroups(),
            actors: records
        )
        self.deaths = try registry.ledger(newest: deaths)
    }

    /// What could not be read, if anything.
    var problem: String? {
        let unreadable = actors.compactMap { actor in
            actor.problem.map { "\(actor.title) cannot be read: \($0)" }
        }
        guard let first = unreadable.first else { return nil }
        return unreadable.count == 1 ? first : "\(unreadable.count) actors cannot be read; the first: \(first)"
    }

    /// Keeps one actor only: the one with this identity or name.
    mutating func select(_ wanted: String) throws(Failure) {
        let found = actors.filter {
            $0.record.id.description == wanted.lowercased() || $0.record.options.name == wanted
        }
        guard let actor = found.first else { throw Failure("\(directory) has no actor \"\(wanted)\"") }
        guard found.count == 1 else {
            let ids = found.map { "\($0.record.id) in namespace \($0.record.options.namespace)" }
            throw Failure(
                "\"\(wanted)\" is the name of several actors; choose one by its id: \(ids.joined(separator: ", "))"
            )
        }
        actors = found
        resources = nil
        deaths = deaths.filter { $0.actor == actor.record.id }
    }

    private static func read(_ record: ActorRecord, _ layout: RuntimeLayout) -> Actor {
        var actor = Actor(record: record, isProcessAlive: record.worker.map(ProcessTable.isAlive) ?? false)
        if actor.isProcessAlive { actor.silence = Actor.silence(of: record, hostedBy: record.worker) }
        let directory = layout.shard(record.shard)
        guard Files.exists("\(directory)/data.mdb") else { return actor }
        do {
            let shard = try ShardReader.read(directory, entriesMax: entriesMax)
            actor.fence = shard.fence
            if let stored = shard.actors.first(where: { $0.id == record.id }) {
                actor.fields = stored.fields
                actor.entries = stored.entries
                actor.completions = stored.completions
                actor.deadLetters = stored.deadLetters
            }
        } catch {
            // Shown with the actor: the others can still be looked at. Gone means that the actor ended meanwhile.
            if Files.exists("\(directory)/data.mdb") { actor.problem = error.description }
        }
        return actor
    }
}

extension Inspection {
    /// For programs.
    var value: CBORValue {
        get throws {
            .object([
                "directory": .text(directory),
                "actors": .array(try actors.map(value)),
                "nodes": resources?.nodeValues ?? .null,
                "placementGroups": resources?.placementGroupValues ?? .null,
                "deaths": .array(deaths.map(value)),
            ])
        }
    }

    private func value(_ actor: Actor) throws -> CBORValue {
        let record = actor.record
        return .object([
            "id": .text("\(record.id)"),
            "name": .text(orNull: record.options.name),
            "namespace": .text(record.options.namespace),
            "type": .text(record.typeDescription),
            "status": .text(status(actor)),
            "detached": .bool(record.owner == .detached),
            "durability": .text("\(record.options.durability)"),
            "maxRestarts": .text("\(record.options.maxRestarts)"),
            "maxTaskRetries": .text("\(record.options.maxTaskRetries)"),
            "shard": CBORValue(record.shard),
            "incarnation": CBORValue(record.incarnation),
            "restarts": CBORValue(record.policy.restarts),
            "pid": actor.isProcessAlive ? record.worker.map { CBORValue($0.pid) } ?? .null : .null,
            "ended": .text(orNull: record.ended.map { "\($0)" }),
            "node": .text(orNull: record.holding?.node),
            "resources": .map(
                (record.holding?.share.total.values ?? [:]).sorted { $0.key < $1.key }
                    .map { CBORValue.Entry(.text($0.key), .float($0.value)) }
            ),
            "devices": .array((record.holding?.share.devices ?? []).map { .text($0.device) }),
            "waitsFor": .text(orNull: record.waitsFor),
            "silentMilliseconds": actor.silence.map { CBORValue($0.wholeMilliseconds) } ?? .null,
            "epoch": actor.fence.map { CBORValue($0.epoch) } ?? .null,
            "version": actor.fence.map { CBORValue($0.version) } ?? .null,
            "completionRecords": CBORValue(actor.completions),
            "deadLetters": .array(try actor.deadLetters.map { try $0.value(of: record.typeName) }),
            "problem": .text(orNull: actor.problem),
            "state": try state(actor),
        ])
    }

    private func state(_ actor: Actor) throws -> CBORValue {
        .map(
            try actor.fields.map { name, field in
                let value: CBORValue =
                    switch field.property {
                    case .value(let bytes): try CBORDecoder().decode(CBORValue.self, from: bytes)
                    case .collection(let header): try collection(header, actor.entries[name] ?? [])
                    }
                return CBORValue.Entry(.text(name), value)
            }
        )
    }

    /// A collection as the plain one that it stands for, with a note of what is not shown.
    private func collection(_ header: CollectionHeader, _ entries: [StoredEntry]) throws -> CBORValue {
        var items = try entries.map { try CBORDecoder().decode(CBORValue.self, from: $0.payload) }
        let hidden = header.count - items.count
        guard header.kind == .dictionary else {
            if hidden > 0 { items.append(.text("… and \(hidden) more")) }
            return .array(items)
        }
        var pairs = items.compactMap { item -> CBORValue.Entry? in
            guard case .array(let pair) = item, pair.count == 2 else { return nil }
            return CBORValue.Entry(pair[0], pair[1])
        }
        if hidden > 0 { pairs.append(CBORValue.Entry(.text("…"), .text("and \(hidden) more"))) }
        return .map(pairs)
    }

    private func value(_ death: LedgerEntry) -> CBORValue {
        .object([
            "actor": .text("\(death.actor)"),
            "type": .text(death.typeDescription),
            "incarnation": CBORValue(death.incarnation),
            "pid": CBORValue(death.pid),
            "cause": .text(orNull: death.notice == nil ? "\(death.cause)" : nil),
            "notice": .text(orNull: death.notice),
            "restarted": .bool(death.isRestarted),
            "injected": .bool(death.isInjected ?? false),
            "milliseconds": CBORValue(death.milliseconds),
            "stderr": .text(death.stderrTail),
        ])
    }

    private func status(_ actor: Actor) -> String {
        if actor.record.ended != nil { return "ended" }
        if actor.isProcessAlive { return "running" }
        return actor.record.waitsFor == nil ? "not running" : "pending"
    }
}

extension Inspection {
    /// For people.
    /// - Parameter full: Whether state is shown with all of its values, each on a line.
    func text(full: Bool) throws -> String {
        var text = actors.isEmpty ? "no actors\n" : ""
        if !actors.isEmpty { text += actorTable }
        for actor in actors {
            if let problem = actor.problem { text += "\n\("\(actor.title) cannot be read: \(problem)".onOneLine)\n" }
            guard full || !actor.fields.isEmpty else { continue }
            text += "\n\(actor.title.onOneLine) (\(actor.record.id))\n"
            let json = try JSON.text(state(actor), pretty: full)
            text += full ? "\(json)\n" : "  \(Self.shortened(json))\n"
        }
        if actors.contains(where: { $0.record.waitsFor != nil }) { text += "\nwaiting for resources\n" + waitTable }
        if actors.contains(where: { $0.silence != nil }) { text += "\nunresponsive\n" + silenceTable }
        if let resources { text += resources.text }
        if actors.contains(where: { !$0.deadLetters.isEmpty }) { text += "\ndead letters\n" + (try deadLetterTable) }
        guard !deaths.isEmpty else { return text }
        return text + "\nnewest deaths and notices\n" + deathTable
    }

    private var actorTable: String {
        var table = Table(["ACTOR", "TYPE", "STATUS", "PID", "LIFE", "RESTARTS", "EPOCH", "VERSION", "DURABILITY"])
        for actor in actors {
            let record = actor.record
            table.add([
                actor.title, record.typeDescription, status(actor),
                actor.isProcessAlive ? record.worker.map { "\($0.pid)" } ?? "-" : "-",
                "\(record.incarnation)", "\(record.policy.restarts)",
                actor.fence.map { "\($0.epoch)" } ?? "-", actor.fence.map { "\($0.version)" } ?? "-",
                "\(record.options.durability)",
            ])
        }
        return table.text
    }

    private var waitTable: String {
        var table = Table(["ACTOR", "TYPE", "WAITS FOR"])
        for actor in actors {
            if let reason = actor.record.waitsFor { table.add([actor.title, actor.record.typeDescription, reason]) }
        }
        return table.text
    }

    private var silenceTable: String {
        var table = Table(["ACTOR", "TYPE", "PID", "SILENT FOR"])
        for actor in actors {
            guard let silence = actor.silence, let pid = actor.record.worker?.pid else { continue }
            table.add([actor.title, actor.record.typeDescription, "\(pid)", "\(silence / .seconds(1)) s"])
        }
        return table.text
    }

    private var deathTable: String {
        let titles = Dictionary(uniqueKeysWithValues: actors.map { ($0.record.id, $0.title) })
        var table = Table(["WHEN (UTC)", "ACTOR", "TYPE", "LIFE", "PID", "THEN", "CAUSE"])
        for death in deaths {
            table.add([
                WallClock.text(milliseconds: death.milliseconds), titles[death.actor] ?? "\(death.actor)",
                death.typeDescription, "\(death.incarnation)", "\(death.pid)",
                death.notice != nil ? "went on" : death.isRestarted ? "restarted" : "ended",
                death.notice ?? (death.isInjected == true ? "injected: \(death.cause)" : "\(death.cause)"),
            ])
        }
        return table.text
    }

    private var deadLetterTable: String {
        get throws {
            var table = Table(["WHEN (UTC)", "ACTOR", "METHOD", "ARGUMENTS", "LIVES", "CAUSE"])
            for actor in actors {
                for letter in actor.deadLetters {
                    table.add([
                        WallClock.text(milliseconds: letter.stored.milliseconds), actor.title,
                        letter.methodName(of: actor.record.typeName) ?? "-",
                        Self.shortened(try JSON.text(letter.arguments)),
                        letter.stored.incarnations.map(String.init).joined(separator: ", "), letter.stored.cause,
                    ])
                }
            }
            return table.text
        }
    }

    private static func shortened(_ text: String) -> String {
        text.count <= 160 ? text : text.prefix(157) + "…  (--actor shows all)"
    }
}
