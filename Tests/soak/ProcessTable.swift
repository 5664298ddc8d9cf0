import DurableSupervisor
import Glibc

/// What `/proc` says of processes.
enum ProcessTable {
    static func all() -> [Int32] { RuntimeDirectory.entries(of: "/proc").compactMap { Int32($0) } }

    /// State, parent, and so on: what is behind the name in `/proc/<pid>/stat`.
    static func fields(_ pid: Int32) -> [Substring]? { fields(at: "/proc/\(pid)/stat") }

    /// Whether every thread of a process has stopped; they do one after the other.
    static func isStopped(_ pid: Int32) -> Bool {
        let threads = RuntimeDirectory.entries(of: "/proc/\(pid)/task")
        return !threads.isEmpty && threads.allSatisfy { fields(at: "/proc/\(pid)/task/\($0)/stat")?.first == "T" }
    }

    static func isAlive(_ pid: Int32) -> Bool {
        guard let state = fields(pid)?.first else { return false }
        return state != "Z" && state != "X"
    }

    /// The processes that have a file open.
    static func holders(of path: String) -> [Int32] {
        all().filter { pid in
            isAlive(pid)
                && RuntimeDirectory.entries(of: "/proc/\(pid)/fd").contains { target("/proc/\(pid)/fd/\($0)") == path }
        }
    }

    static func children(of parent: Int32) -> [Int32] {
        all().filter { pid in
            guard let fields = fields(pid), fields.count > 1 else { return false }
            return Int32(fields[1]) == parent && fields[0] != "Z"
        }
    }

    static func threads(of pid: Int32) -> Int { RuntimeDirectory.entries(of: "/proc/\(pid)/task").count }

    /// How many descriptors a process has open.
    static func descriptors(of pid: Int32) -> Int { RuntimeDirectory.entries(of: "/proc/\(pid)/fd").count }

    /// The memory of a process that is its own, in KiB.
    static func ownMemory(of pid: Int32) -> Int? {
        let lines = text(at: "/proc/\(pid)/status", bytesMax: 4096)?.split(separator: "\n")
        return lines?.first { $0.hasPrefix("RssAnon:") }?.split(separator: " ").dropLast().last
            .flatMap { Int($0.filter(\.isNumber)) }
    }

    private static func target(_ path: String) -> String? {
        var buffer = [CChar](repeating: 0, count: 512)
        let count = readlink(path, &buffer, 511)
        return count < 0 ? nil : String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func fields(at path: String) -> [Substring]? {
        guard let text = text(at: path, bytesMax: 1024), let end = text.lastIndex(of: ")") else { return nil }
        return text[end...].dropFirst(2).split(separator: " ")
    }

    private static func text(at path: String, bytesMax: Int) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var buffer = [UInt8](repeating: 0, count: bytesMax)
        let count = fread(&buffer, 1, bytesMax, file)
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }
}
