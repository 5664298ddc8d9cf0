import DurableSimulation
import Glibc
import Testing

/// Histories of a whole runtime in virtual time. A seed names a history of one version of this world alone, so what a seed
/// has found gets a test of its own where it was mended.
struct SimulationTests {
    /// `DURABLE_TEST_SEED` replaces them by one.
    private static var seeds: [UInt64] {
        if let text = getenv("DURABLE_TEST_SEED"), let seed = UInt64(String(cString: text)) { return [seed] }
        return Array(1...200)
    }

    private func expectSound(_ seed: UInt64) {
        let report = Simulation.run(seed: seed)
        guard !report.violations.isEmpty else { return }
        let trace = Simulation.run(seed: seed, keeping: 60).trace.map { "\($0)" }.joined(separator: "\n")
        Issue.record("seed \(seed): \(report.violations.joined(separator: "; "))\n\(trace)")
    }

    @Test func everyHistoryKeepsAllPromises() {
        for seed in Self.seeds { expectSound(seed) }
    }

    @Test func oneSeedIsOneHistory() {
        var checksums: Set<UInt64> = []
        for seed in UInt64(1)...20 {
            let (first, second) = (Simulation.run(seed: seed), Simulation.run(seed: seed, keeping: 5))
            #expect(first.checksum == second.checksum, "seed \(seed)")
            #expect(first.events == second.events && first.events > 0)
            checksums.insert(first.checksum)
        }
        #expect(checksums.count == 20)
    }

    /// Nothing in a history depends on the process: neither the seeds of its hash tables nor its addresses. The number is
    /// another one whenever a decision of the product or this world changes; then it is taken anew.
    @Test func oneSeedIsOneHistoryInEveryProcess() {
        let report = Simulation.run(seed: 1)
        #expect(report.events == 933)
        #expect(report.checksum == 0x1ee8_9a80_ffad_3f4a)
    }

    @Test func everyFaultBitesInSomeHistory() {
        var seen: [Fault: Int] = [:]
        for seed in UInt64(1)...600 { seen.merge(Simulation.run(seed: seed).faults) { $0 + $1 } }
        for fault in Fault.allCases { #expect(seen[fault] != nil, "\(fault.rawValue) never bit") }
    }
}
