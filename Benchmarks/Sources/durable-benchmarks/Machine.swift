internal import CBenchmarks
internal import DurableBench

/// What benchmarks ask of the machine.
enum Machine {
    /// Lets the threads that this process has, and every thread and process that they start from now on, run on one core
    /// only.
    static func pin(toCore core: Int) throws {
        let code = benchmarks_pin(Int32(core))
        guard code == 0 else { throw BenchmarkError("pinning to core \(core)", code: code) }
    }
}
