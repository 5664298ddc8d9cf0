/// The memory of a process, in bytes.
public struct ProcessMemory: Sendable, Hashable {
    /// Resident memory (PSS); pages that several processes share count in part. Pages of a data file that the process
    /// has touched belong to it; the kernel takes them back when it needs them.
    public var resident: Int
    /// The part of it that belongs to no file.
    public var anonymous: Int

    /// Makes an amount.
    /// - Parameters:
    ///   - resident: Bytes of resident memory.
    ///   - anonymous: Bytes of that which belong to no file.
    public init(resident: Int = 0, anonymous: Int = 0) {
        self.resident = resident
        self.anonymous = anonymous
    }

    /// What a process holds at the moment, as `/proc/PID/smaps_rollup` tells.
    /// - Throws: ``BenchmarkError`` when the process is gone or of another user.
    public init(of process: Int32) throws {
        self.init()
        for line in ProcessFile.lines("/proc/\(process)/smaps_rollup") {
            let fields = line.split(separator: " ")
            guard fields.count == 3, let kibibytes = Int(fields[1]) else { continue }
            switch fields[0] {
            case "Pss:": resident = kibibytes * 1024
            case "Pss_Anon:": anonymous = kibibytes * 1024
            default: break
            }
        }
        guard resident > 0 else { throw BenchmarkError("process \(process) tells nothing of its memory") }
    }
}
