internal import DurableCore
internal import DurableStore

/// Renamed properties, and the description of the stored layout.
extension Activation {
    /// The row that a property is restored from: its own, or that of a name that it had before.
    static func row(
        of cell: any AnyCheckpointedCell,
        in stored: [String: StoredField]
    ) -> (field: StoredField, name: String)? {
        let found = ([cell.name] + cell.formerNames).compactMap { name in stored[name].map { ($0, name) } }
        guard let first = found.first else { return nil }
        for (_, former) in found.dropFirst() {
            WorkerMain.log(
                "property \"\(first.1)\" is stored, and so is \"\(former)\", a former name of it, perhaps by an older "
                    + "build; \"\(first.1)\" counts, and \"\(former)\" stays stored as it is"
            )
        }
        return first
    }

    /// A former name must lead to one property only.
    static func checkNames(_ cells: [any AnyCheckpointedCell], _ type: TypeSchema) throws(StoreError) {
        var owners: [String: String] = [:]
        for cell in cells { owners[cell.name] = cell.name }
        for cell in cells {
            for former in cell.formerNames {
                if let owner = owners.updateValue(cell.name, forKey: former) {
                    let message = "property \"\(cell.name)\" of \(type.name) was renamed from \"\(former)\", which "
                    let reason = owner == former ? "is a property again" : "\"\(owner)\" was renamed from, too"
                    throw StoreError(.unreadable, message + "\(reason); write migrate(_:from:) instead")
                }
            }
        }
        for name in owners.keys where name.utf8.count > ShardLayout.fieldNameBytesMax {
            let longest = ShardLayout.fieldNameBytesMax
            throw StoreError(.failed, "the property name \(name.prefix(40))… is longer than \(longest) bytes")
        }
    }

    /// Changes that move a property from the name that it is stored under to its own.
    /// - Parameter changes: The property's changes, at least one.
    static func moving(
        _ name: String,
        from former: FormerRow,
        _ changes: [WriteSet.Change]
    ) -> [WriteSet.Change] {
        var all: [WriteSet.Change] = [.removeProperty(former.name)]
        var property = former.property
        var isWritten = false
        for case .property(name, let written) in changes { (property, isWritten) = (written, true) }
        if !isWritten { all.append(.property(name, property)) }
        all += changes
        // The rows of a collection stay where they are.
        if case .collection(let header) = property { all.append(.keep(header.rows)) }
        return all
    }

    /// How this build lays the actor's state out.
    /// - Parameters:
    ///   - before: What the shard says so far.
    ///   - stored: The names of what is stored now.
    ///   - served: The highest schema version that has served the actor.
    ///   - now: Milliseconds since 1970.
    /// - Returns: The description, and the properties whose grace period has passed.
    func describe(
        _ before: StoredSchema?,
        stored: some Sequence<String>,
        served: UInt32,
        now: Int64
    ) -> (schema: StoredSchema, expired: [String]) {
        var layout = LayoutDescription()
        var known: Set<String> = []
        var aliases: [String: String] = [:]
        for cell in cells {
            cell.describe(in: &layout)
            known.insert(cell.name)
            for former in cell.formerNames { aliases[former] = cell.name }
        }
        var schema = StoredSchema(
            type: type.qualifiedName,
            version: type.version,
            layout: layout.lines,
            aliases: aliases,
            unknown: before?.unknown ?? [:],
            milliseconds: before?.milliseconds ?? now
        )
        var expired: [String] = []
        let strangers = Set(stored.filter { !known.contains($0) && aliases[$0] == nil })
        schema.unknown = schema.unknown.filter { strangers.contains($0.key) }
        // Older code knows less; what is foreign to it may be all right.
        guard type.version >= served else { return (schema, []) }
        // The marks of an earlier version count for the properties of that version only.
        if let before, before.version < type.version { schema.unknown = [:] }
        for name in strangers {
            guard let since = schema.unknown[name], since <= now else {
                schema.unknown[name] = now
                continue
            }
            if let grace = type.grace, .milliseconds(now - since) >= grace { expired.append(name) }
        }
        for name in expired { schema.unknown[name] = nil }
        return (schema, expired.sorted())
    }
}

/// Where a property is stored that has another name by now.
struct FormerRow {
    let name: String
    let property: StoredProperty
}
