internal import CBenchmarks
internal import DurableBench

/// What benchmarks ask of the machine.
enum Machine {
    /// Lets this process, and every process and thread it starts from now on, run on one core only.
    static func pin(toCore core: Int) throws {
        let code = benchmarks_pin(Int32(core))
        guard code == 0 else { throw BenchmarkError("pinning to core \(core)", code: code) }
    }

    /// Lets the threads that this process has, and what they start from now on, run on one core only.
    static func pinThreads(toCore core: Int) throws {
        let code = benchmarks_pin_threads(Int32(core))
        guard code == 0 else { throw BenchmarkError("pinning threads to core \(core)", code: code) }
    }
}
