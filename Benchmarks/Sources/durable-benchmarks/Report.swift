internal import DurableBench
internal import Glibc

/// What one run of a benchmark found.
typealias Report = BenchmarkReport

extension BenchmarkReport {
    /// Prints the table and, when a file is named, writes the JSON.
    func publish(json path: String?) throws {
        print(text)
        guard let path else { return }
        guard let file = fopen(path, "w") else { throw BenchmarkError(path, code: errno) }
        fputs(try json + "\n", file)
        guard fclose(file) == 0 else { throw BenchmarkError(path, code: errno) }
    }
}
