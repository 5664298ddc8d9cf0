import DurableSimulation
import Testing

struct SimulationTests {
    @Test func oneSeedIsOneHistory() {
        for seed in UInt64(1)...10 {
            #expect(Simulation.run(seed: seed).checksum == Simulation.run(seed: seed).checksum, "seed \(seed)")
        }
    }
}
