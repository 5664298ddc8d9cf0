import Glibc

/// Bytes that grow, handled as memory because a lane writes gigabytes of them.
final class Bytes {
    private(set) var count = 0
    private var capacity = 1 << 16
    private(set) var start: UnsafeMutableRawPointer

    init() { start = .allocate(byteCount: capacity, alignment: 16) }

    deinit { start.deallocate() }

    var buffer: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: count) }

    func resize(_ length: Int) {
        if length > capacity {
            let wider = UnsafeMutableRawPointer.allocate(byteCount: length * 2, alignment: 16)
            memcpy(wider, start, count)
            start.deallocate()
            (start, capacity) = (wider, length * 2)
        }
        // What was never written reads as zeros.
        if length > count { memset(start + count, 0, length - count) }
        count = length
    }

    func put(_ bytes: UnsafeRawPointer, _ length: Int, at offset: Int) {
        if offset + length > count { resize(offset + length) }
        memcpy(start + offset, bytes, length)
    }

    func become(_ other: Bytes) {
        count = 0
        put(other.start, other.count, at: 0)
        count = other.count
    }
}

/// A file or directory of the traced processes: what is durable of it, and what was done since.
final class ModelNode {
    /// A change of a file's bytes.
    struct Change {
        /// When: the record's index.
        var index: Int
        var offset: Int
        /// The bytes in the trace; `nil` for a new length, `offset`.
        var bytes: Range<Int>?
        /// Whether it is durable although it is listed, because an earlier one is not.
        var isSure = false
    }

    let number: Int
    let isDirectory: Bool
    /// The environment that it belongs to: `supervisor`, `shards/1` and so on; `nil` above of them.
    let environment: String?
    var durable = Bytes()
    var changes: [Change] = []
    /// A directory's durable names, and those that processes see.
    var durableNames: [String: ModelNode] = [:]
    var names: [String: ModelNode] = [:]

    init(number: Int, isDirectory: Bool, environment: String?) {
        self.number = number
        self.isDirectory = isDirectory
        self.environment = environment
    }

    /// Makes durable what was done before a record.
    func settle(before index: Int, _ trace: WriteTrace) {
        let covered = changes.prefix { $0.index < index }
        for change in covered { Self.apply(change, to: durable, trace) }
        changes.removeFirst(covered.count)
        while let first = changes.first, first.isSure {
            Self.apply(first, to: durable, trace)
            changes.removeFirst()
        }
    }

    static func apply(_ change: Change, to bytes: Bytes, _ trace: WriteTrace) {
        guard let range = change.bytes else { return bytes.resize(change.offset) }
        trace.bytes.withUnsafeBytes { bytes.put($0.baseAddress! + range.lowerBound, range.count, at: change.offset) }
    }

    /// The bytes as processes see them.
    func current(_ bytes: Bytes, _ trace: WriteTrace) {
        bytes.become(durable)
        for change in changes { Self.apply(change, to: bytes, trace) }
    }
}

/// A change of a directory that is not durable yet.
struct NameChange {
    enum What {
        case name(ModelNode, in: ModelNode, String)
        case move(ModelNode, from: ModelNode, String, to: ModelNode, String)
        case remove(from: ModelNode, String)
    }

    var index: Int
    var what: What

    var directories: [ModelNode] {
        switch what {
        case .name(_, let directory, _), .remove(let directory, _): [directory]
        case .move(_, let old, _, let new, _): [old, new]
        }
    }
}
