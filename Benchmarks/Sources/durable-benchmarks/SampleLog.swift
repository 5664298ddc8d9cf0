internal import DurableBench
internal import Glibc

/// Every single duration, for those who put several runs together: percentiles of runs cannot be.
struct SampleLog {
    private var lines: [String] = []

    /// Keeps a duration in nanoseconds.
    mutating func record(_ duration: UInt64, of name: String) {
        lines.append("\(name)\t\(Double(duration) / 1000)\n")
    }

    /// Writes a line for each: its name, a tab, and microseconds.
    func write(to path: String) throws {
        guard let file = fopen(path, "w") else { throw BenchmarkError(path, code: errno) }
        for line in lines { fputs(line, file) }
        guard fclose(file) == 0 else { throw BenchmarkError(path, code: errno) }
    }
}
