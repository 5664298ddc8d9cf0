internal import DurableCore
internal import Glibc

/// Which processes live.
enum ProcessTable {
    /// Whether this very process lives, and no other one under its number.
    static func isAlive(_ worker: WorkerIdentity) -> Bool { startTime(of: worker.pid) == worker.startTime }

    /// When the process with this number started, in clock ticks since boot; `nil` when it has ended.
    static func startTime(of pid: Int32) -> UInt64? {
        guard let bytes = try? Files.contents("/proc/\(pid)/stat") else {
            // No such file: no such process.
            return nil
        }
        // The second field is the command's name in parentheses, which may hold anything; the state comes after it.
        guard let parenthesis = bytes.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        let fields = bytes[(parenthesis + 1)...].split(separator: UInt8(ascii: " "))
        guard fields.count > 19, fields[0] != [UInt8(ascii: "Z")], fields[0] != [UInt8(ascii: "X")] else { return nil }
        return UInt64(String(decoding: fields[19], as: UTF8.self))
    }
}

/// Times of the wall clock for people.
enum WallClock {
    /// The time in UTC, to the millisecond.
    static func text(milliseconds: Int64) -> String {
        var seconds = time_t(milliseconds / 1000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        var buffer = [CChar](repeating: 0, count: 32)
        let count = strftime(&buffer, buffer.count, "%Y-%m-%d %H:%M:%S", &parts)
        let second = String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let rest = String(milliseconds % 1000)
        return second + "." + String(repeating: "0", count: 3 - rest.count) + rest
    }
}
