internal import Glibc

/// A worker as the kernel sees it.
struct WorkerProcess {
    /// Resident memory in bytes; pages that several processes share count in part.
    struct Memory {
        /// All of it. Pages of the data file that the process has touched are most of it; the kernel takes them back
        /// when it needs them.
        var resident = 0
        /// What is not of a file.
        var anonymous = 0
    }

    let processID: Int32

    /// What it holds at the moment.
    func memory() throws -> Memory {
        var memory = Memory()
        for line in try lines("smaps_rollup") {
            let fields = line.split(separator: " ")
            guard fields.count == 3, let kilobytes = Int(fields[1]) else { continue }
            switch fields[0] {
            case "Pss:": memory.resident = kilobytes * 1024
            case "Pss_Anon:": memory.anonymous = kilobytes * 1024
            default: break
            }
        }
        guard memory.resident > 0 else { throw BenchmarkError("process \(processID) tells nothing of its memory") }
        return memory
    }

    /// The file that it keeps its shard in.
    func dataFile() throws -> String {
        for line in try lines("maps") where line.hasSuffix("/data.mdb") {
            if let start = line.firstIndex(of: "/") { return String(line[start...]) }
        }
        throw BenchmarkError("process \(processID) has no data file open")
    }

    private func lines(_ name: String) throws -> [Substring] {
        let path = "/proc/\(processID)/\(name)"
        guard let file = fopen(path, "r") else { throw BenchmarkError(path, code: errno) }
        defer { fclose(file) }
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { text += chunk[..<count] }
        return String(decoding: text, as: UTF8.self).split(separator: "\n")
    }
}
