import DurableActors
import DurableChaos
import Foundation
import Glibc
import Testing

/// Many kills in a row. Checked: no change lost or doubled, no zombie, no orphan, no leaked descriptor.
@Suite(.serialized) struct StormTests {
    @Test func `RST-04: 500 kills leave no zombie, no orphan and no leaked descriptor`() async throws {
        let driver = try TestProcess(["storm", "500"])
        let figures = Dictionary(
            uniqueKeysWithValues: driver.line.split(separator: " ").map { word in
                let parts = word.split(separator: "=")
                return (String(parts[0]), Int(parts[1]) ?? -1)
            }
        )
        #expect(figures["acknowledged"] == 2000, "\(driver.line)")
        #expect(figures["value"] == 2000)
        #expect(figures["restarts"] == 500)
        #expect(try #require(figures["ours"]) <= 8, "descriptors of the driver grew: \(driver.line)")
        #expect(try #require(figures["theirs"]) <= 8, "descriptors of the supervisor grew: \(driver.line)")
        let supervisor = Int32(try #require(figures["supervisor"]))
        try await eventually("only the worker and the spares are left") {
            Processes.children(of: supervisor)
        } is: { children in
            children.count <= 3 && children.allSatisfy { $0.state != "Z" }
        }
        let children = Processes.children(of: supervisor).map(\.pid)
        driver.end()
        for pid in children + [supervisor] { #expect(!Processes.isAlive(pid)) }
    }

    @Test(arguments: [UInt64(1), 2, 3])
    func `CHA-02: random kills of workers and supervisor lose and double nothing`(seed: UInt64) async throws {
        var generator = SeededGenerator(seed: seed)
        try await ActorRuntime.withRuntime { runtime in
            var counters: [Counter] = []
            for _ in 0..<4 { counters.append(try await runtime.spawn(Counter.self, options: .resilient)) }
            for counter in counters { _ = try await counter.read() }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for counter in counters {
                    group.addTask {
                        for expected in 1...150 {
                            let value = try await counter.add(1)
                            #expect(value == expected, "seed \(seed)")
                        }
                    }
                }
                for round in 1...40 {
                    let victims = try await runtime.actors().compactMap(\.processID)
                    if round % 10 == 0, let supervisor = runtime.supervisorProcessID {
                        kill(supervisor, SIGKILL)
                    } else if let victim = victims.randomElement(using: &generator) {
                        kill(victim, SIGKILL)
                    }
                }
                try await group.waitForAll()
            }
            for counter in counters { #expect(try await counter.read() == 150, "seed \(seed)") }
        }
    }
}
