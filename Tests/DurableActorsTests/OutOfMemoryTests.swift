import DurableActors
import DurableCore
import DurableSupervisor
import Foundation
import Glibc
import Testing

/// The kernel ends a worker for want of memory, in a control group of the test's own.
@Suite(.serialized) struct OutOfMemoryTests {
    @Test func `a worker that the kernel ended for want of memory is told from one that a signal ended`() async throws {
        let scratch = ScratchDirectory()
        let group = try MemoryGroup(bytesMax: 256 << 20)
        let driver = try TestProcess(["hoard", scratch.file("data")], group: group.processes)
        defer { driver.end() }
        let words = driver.line.split(separator: " ", maxSplits: 2)
        let pids = words.prefix(2).compactMap { Int32($0) }
        try #require(pids.count == 2, "the driver said: \(driver.line)")
        #expect(words.last?.contains("lack of memory") == true, "the caller was told: \(driver.line)")
        try await eventually("both deaths are in the ledger") {
            try ledger(of: scratch.file("data")).count
        } is: {
            $0 == 2
        }
        let entries = try ledger(of: scratch.file("data"))
        #expect(entries.map(\.pid) == pids)
        #expect(entries.map(\.cause) == [.signal(number: SIGKILL), .outOfMemory])
        #expect(entries.map(\.isRestarted) == [true, false])
    }

    private func ledger(of directory: String) throws -> [LedgerEntry] {
        let store = try RegistryStore(RuntimeLayout(directory: directory), readOnly: true)
        defer { store.close() }
        return try store.ledger(newest: 10)
    }
}

/// A control group with a bound on its memory, of either version.
final class MemoryGroup {
    private let path: String

    /// Where a process's number is written to make it a member.
    var processes: String { "\(path)/cgroup.procs" }

    init(bytesMax: Int) throws {
        let lines = try String(contentsOfFile: "/proc/self/cgroup", encoding: .utf8).split(separator: "\n")
        let fields = lines.map { $0.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false) }
        let own = fields.first { $0.count == 3 && $0[1].split(separator: ",").contains("memory") }
        let isFirstVersion = own != nil
        let (mount, limit, swap) =
            isFirstVersion
            ? ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes")
            : ("/sys/fs/cgroup", "memory.max", "memory.swap.max")
        // Within a container the own group may be the root of what is mounted.
        let parents = [own.map { "\(mount)\($0[2])" }, mount].compactMap(\.self)
        let needed = "this test needs root, and a memory control group that it may make in one of \(parents)"
        let parent = try #require(parents.first { access($0, W_OK) == 0 }, "\(needed)")
        path = "\(parent)/durable-test-\(getpid())"
        if !isFirstVersion { _ = Self.write("+memory", to: "\(parent)/cgroup.subtree_control") }
        try #require(mkdir(path, 0o755) == 0, "\(needed)")
        try #require(Self.write("\(bytesMax)", to: "\(path)/\(limit)"), "\(needed)")
        // A kernel that does not count swap has no such file.
        _ = Self.write(isFirstVersion ? "\(bytesMax)" : "0", to: "\(path)/\(swap)")
    }

    deinit {
        // Processes that have just ended leave the group a moment later.
        for _ in 0..<1000 where rmdir(path) != 0 { usleep(2000) }
    }

    private static func write(_ text: String, to path: String) -> Bool {
        let file = open(path, O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { return false }
        defer { close(file) }
        return text.withCString { Glibc.write(file, $0, strlen($0)) } == text.utf8.count
    }
}
