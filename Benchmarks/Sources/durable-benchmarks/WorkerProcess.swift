internal import DurableBench
internal import Glibc

/// A worker as the kernel sees it.
struct WorkerProcess {
    let processID: Int32

    /// What it holds at the moment.
    func memory() throws -> ProcessMemory { try ProcessMemory(of: processID) }

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
