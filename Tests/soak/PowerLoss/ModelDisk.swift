/// What the traced processes did to a file system, and what of it is durable.
///
/// It promises no more than POSIX does: a sync of a file covers its bytes and not its name, one of a directory its names
/// only. Everything else may be there after a power loss or not, in any combination.
final class ModelDisk {
    let trace: WriteTrace
    let root: ModelNode
    /// What was done to directories and is not durable yet, in order.
    private(set) var pendingNames: [NameChange] = []
    private var nodes: [UInt64: ModelNode] = [:]
    private var syncs: [UInt64: (node: ModelNode, begin: Int)] = [:]
    private var count = 0

    init(_ trace: WriteTrace) throws {
        self.trace = trace
        guard let first = trace.records.first, first.kind == .root else { throw LaneError("the trace has no root") }
        root = ModelNode(number: 0, isDirectory: true, environment: nil)
        nodes[first.file] = root
    }

    /// Does what a record says.
    /// - Returns: What it was done to; `nil` when it is nothing of interest.
    func apply(_ index: Int) -> ModelNode? {
        let record = trace.records[index]
        switch record.kind {
        case .write, .syncedWrite:
            guard let node = nodes[record.file] else { return nil }
            node.changes.append(.init(index: index, offset: Int(record.number), bytes: record.bytes))
            return node
        case .truncate:
            guard let node = nodes[record.file] else { return nil }
            node.changes.append(.init(index: index, offset: Int(record.number), bytes: nil))
            return node
        case .syncBegin:
            if let node = nodes[record.file] { syncs[record.number] = (node, index) }
            return nil
        case .syncEnd:
            guard let (node, begin) = syncs.removeValue(forKey: record.number) else { return nil }
            if node.isDirectory { settleNames(of: node, before: begin) } else { node.settle(before: begin, trace) }
            return node
        case .create, .mkdir: return add(record, index)
        case .link:
            guard let node = nodes[record.file], let directory = nodes[record.number] else { return nil }
            return change(.name(node, in: directory, trace.text(record.bytes)), index, node)
        case .rename: return move(record, index)
        case .unlink:
            guard let directory = nodes[record.number] else { return nil }
            let name = trace.text(record.bytes)
            guard let node = directory.names[name] else { return nil }
            return change(.remove(from: directory, name), index, node)
        case .acknowledged, .ending, .root: return nil
        }
    }

    /// The second half of a write that is durable when it returns.
    func settleSynced(_ index: Int, _ node: ModelNode) {
        guard let place = node.changes.lastIndex(where: { $0.index == index }) else { return }
        node.changes[place].isSure = true
        node.settle(before: 0, trace)
    }

    private func add(_ record: WriteTrace.Record, _ index: Int) -> ModelNode? {
        guard let directory = nodes[record.number] else { return nil }
        let name = trace.text(record.bytes)
        // Two processes that create a file at once both say so.
        if let known = directory.names[name], nodes[record.file] === known { return nil }
        guard let environment = environment(of: name, in: directory) else {
            // Sockets' directories, stderr and the like: nobody promises anything of them.
            nodes[record.file] = nil
            return nil
        }
        count += 1
        let node = ModelNode(
            number: count,
            isDirectory: record.kind == .mkdir,
            environment: environment.isEmpty ? nil : environment
        )
        nodes[record.file] = node
        return change(.name(node, in: directory, name), index, node)
    }

    /// Empty for directories above of environments, `nil` for what is not looked at.
    private func environment(of name: String, in directory: ModelNode) -> String? {
        if let environment = directory.environment {
            let isIgnored = environment == "supervisor" && (name == "stderr" || name == "lock")
            return isIgnored ? nil : environment
        }
        if directory === root { return "" }
        if root.names["data"] === directory {
            return name == "supervisor" ? name : name == "shards" ? "" : nil
        }
        return "shards/\(name)"
    }

    private func move(_ record: WriteTrace.Record, _ index: Int) -> ModelNode? {
        let bytes = trace.bytes[record.bytes]
        let target = bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
        let names = bytes.dropFirst(8).split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
        guard let node = nodes[record.file], let old = nodes[record.number], let new = nodes[target], names.count == 2
        else { return nil }
        let (from, to) = (String(decoding: names[0], as: UTF8.self), String(decoding: names[1], as: UTF8.self))
        return change(.move(node, from: old, from, to: new, to), index, node)
    }

    private func change(_ what: NameChange.What, _ index: Int, _ node: ModelNode) -> ModelNode {
        let change = NameChange(index: index, what: what)
        Self.apply(change) { directory, name, node in directory.names[name] = node }
        pendingNames.append(change)
        return node
    }

    private func settleNames(of directory: ModelNode, before index: Int) {
        pendingNames.removeAll { change in
            guard change.index < index, change.directories.contains(where: { $0 === directory }) else { return false }
            Self.apply(change) { directory, name, node in directory.durableNames[name] = node }
            return true
        }
        // What was moved away for good has no former name that could still come.
        pendingNames.removeAll { change in
            guard case .name(let node, let place, _) = change.what, place !== directory else { return false }
            return change.index < index && directory.durableNames.values.contains { $0 === node }
        }
    }

    /// What a change does to names, whosever they are.
    static func apply(_ change: NameChange, _ set: (ModelNode, String, ModelNode?) -> Void) {
        switch change.what {
        case .name(let node, let directory, let name): set(directory, name, node)
        case .move(let node, let old, let from, let new, let to):
            set(old, from, nil)
            set(new, to, node)
        case .remove(let directory, let name): set(directory, name, nil)
        }
    }
}
