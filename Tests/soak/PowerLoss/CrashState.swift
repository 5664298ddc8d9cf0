import DurableChaos
import DurableSupervisor
import Glibc

/// One environment's files as a power loss can leave them.
final class CrashState {
    /// How it was chosen.
    enum Kind: Int, CaseIterable {
        /// Everything up to some moment since the last sync.
        case prefix
        /// Any part of the writes since the last sync.
        case subset
        /// The same, and some writes half done, sector by sector.
        case torn
        /// Any part of what was done to directories, and of the writes.
        case directory
    }

    let kind: Kind
    /// Whether the environment's directory is there.
    private(set) var exists = true
    private let environment: String
    private var directories: [String] = []
    private(set) var files: [(path: String, node: ModelNode, bytes: Bytes)] = []
    /// The names that are durable or were chosen, of each directory that is looked at.
    private var names: [Int: [String: ModelNode]] = [:]
    private let disk: ModelDisk
    private let pool: BytesPool

    /// - Parameters:
    ///   - environment: Which one.
    ///   - isWhole: Everything that was done is there.
    init(
        _ kind: Kind,
        of environment: String,
        on disk: ModelDisk,
        isWhole: Bool = false,
        pool: BytesPool,
        _ generator: inout SeededGenerator
    ) {
        self.kind = kind
        self.environment = environment
        self.disk = disk
        self.pool = pool
        chooseNames(isWhole, environment, &generator)
        var directory = disk.root
        for name in ["data"] + environment.split(separator: "/").map(String.init) {
            guard let next = names(of: directory)[name] else {
                exists = false
                return
            }
            directory = next
        }
        collect(directory, "", isWhole, &generator)
    }

    deinit { for file in files { pool.put(file.bytes) } }

    func file(_ path: String) -> (node: ModelNode, bytes: Bytes)? {
        files.first { $0.path == path }.map { ($0.node, $0.bytes) }
    }

    /// Tells states apart.
    var fingerprint: Int {
        var hasher = Hasher()
        hasher.combine(environment)
        hasher.combine(exists)
        for path in directories { hasher.combine(path) }
        for file in files {
            hasher.combine(file.path)
            hasher.combine(file.bytes.count)
            hasher.combine(bytes: file.bytes.buffer)
        }
        return hasher.finalize()
    }

    /// Writes the files.
    func materialise(at path: String) throws {
        guard exists else { return }
        guard mkdir(path, 0o700) == 0 else { throw LaneError("\(path): \(String(cString: strerror(errno)))") }
        for name in directories { mkdir("\(path)/\(name)", 0o700) }
        for file in files {
            let descriptor = open("\(path)/\(file.path)", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else { throw LaneError("\(path): \(String(cString: strerror(errno)))") }
            defer { close(descriptor) }
            let count = pwrite(descriptor, file.bytes.start, file.bytes.count, 0)
            guard count == file.bytes.count else { throw LaneError("\(path): a file cannot be written") }
        }
    }

    private func names(of directory: ModelNode) -> [String: ModelNode] {
        names[directory.number] ?? directory.durableNames
    }

    private func chooseNames(_ isWhole: Bool, _ environment: String, _ generator: inout SeededGenerator) {
        let above = disk.root.number
        for change in disk.pendingNames {
            let concerns = change.directories.contains { directory in
                directory.environment == environment || directory.environment == nil || directory.number == above
            }
            guard concerns, isWhole || kind != .directory || Bool.random(using: &generator) else { continue }
            ModelDisk.apply(change) { directory, name, node in
                names[directory.number, default: directory.durableNames][name] = node
            }
        }
    }

    private func collect(_ directory: ModelNode, _ prefix: String, _ isWhole: Bool, _ generator: inout SeededGenerator)
    {
        for (name, node) in names(of: directory).sorted(by: { $0.key < $1.key }) {
            if node.isDirectory {
                directories.append(prefix + name)
                collect(node, "\(prefix)\(name)/", isWhole, &generator)
            } else {
                let bytes = pool.take()
                fill(bytes, of: node, isWhole, &generator)
                files.append((prefix + name, node, bytes))
            }
        }
    }

    private func fill(_ bytes: Bytes, of node: ModelNode, _ isWhole: Bool, _ generator: inout SeededGenerator) {
        bytes.become(node.durable)
        guard !node.changes.isEmpty else { return }
        let (changes, count) = (node.changes, node.changes.count)
        // Where nothing is ever synced, the kernel has written most by itself: only the newest are in doubt.
        let doubtful = min(count, [4, 12, 40, 400][Int.random(in: 0..<4, using: &generator)])
        let sure = count - (count > 40 ? doubtful : count)
        let end = isWhole ? count : Int.random(in: sure...count, using: &generator)
        for (place, change) in changes.enumerated() {
            guard place >= sure, !change.isSure, !isWhole else {
                ModelNode.apply(change, to: bytes, disk.trace)
                continue
            }
            switch kind {
            case .prefix:
                if place < end { ModelNode.apply(change, to: bytes, disk.trace) }
            case .subset, .directory:
                if Bool.random(using: &generator) { ModelNode.apply(change, to: bytes, disk.trace) }
            case .torn:
                tear(change, bytes, &generator)
            }
        }
    }

    /// Each sector is there or not.
    private func tear(_ change: ModelNode.Change, _ bytes: Bytes, _ generator: inout SeededGenerator) {
        let choice = Int.random(in: 0..<3, using: &generator)
        guard choice > 0, let range = change.bytes else {
            if Bool.random(using: &generator) { ModelNode.apply(change, to: bytes, disk.trace) }
            return
        }
        var offset = change.offset
        var position = range.lowerBound
        while position < range.upperBound {
            // Sectors begin where the disk's do, not where the write does.
            let length = min(512 - offset % 512, range.upperBound - position)
            if Bool.random(using: &generator) {
                let sector = ModelNode.Change(index: 0, offset: offset, bytes: position..<position + length)
                ModelNode.apply(sector, to: bytes, disk.trace)
            }
            offset += length
            position += length
        }
    }
}

/// Buffers that are used again.
final class BytesPool {
    private var free: [Bytes] = []

    func take() -> Bytes { free.popLast() ?? Bytes() }

    func put(_ bytes: Bytes) { free.append(bytes) }
}
