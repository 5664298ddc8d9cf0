internal import DurableCore
internal import Glibc

/// Which processes live.
enum ProcessTable {
    /// Whether this very process lives, and no other one under its number.
    static func isAlive(_ worker: WorkerIdentity) -> Bool {
        guard let bytes = try? Files.contents("/proc/\(worker.pid)/stat") else {
            // No such file: no such process.
            return false
        }
        // The second field is the command's name in parentheses, which may hold anything; the state comes after it.
        guard let parenthesis = bytes.lastIndex(of: UInt8(ascii: ")")) else { return false }
        let fields = bytes[(parenthesis + 1)...].split(separator: UInt8(ascii: " "))
        guard fields.count > 19, fields[0] != [UInt8(ascii: "Z")] else { return false }
        return UInt64(String(decoding: fields[19], as: UTF8.self)) == worker.startTime
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
