import DurableActors
import DurableChaos
import DurableCore
import DurableStore
import DurableSupervisor
import Foundation
import Glibc
import Testing

/// Many calls of many processes over kills at every stage. Checked: every counter is exactly right, and no completion
/// record is left in the end.
///
/// `DURABLE_TEST_CALLS` says how many calls there are.
@Suite(.serialized) struct CallStormTests {
    /// A caller in a process of its own, and what it printed by its end.
    private static func caller(_ directory: String, _ name: String, _ count: Int) async throws -> [Int] {
        let executable = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: executable).deletingLastPathComponent()
            .appendingPathComponent("ActorTestDriver")
        process.arguments = ["calls", directory, name, String(count)]
        let output = Pipe()
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            process.terminationHandler = { _ in continuation.resume() }
            do { try process.run() } catch { continuation.resume(throwing: error) }
        }
        // A line is less than a pipe holds.
        let said = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        let numbers = said.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
        try #require(numbers.count == 8, "caller \(name) ended with \(process.terminationStatus) and said: \(said)")
        return numbers
    }

    private func records(_ directory: String) -> Int {
        RuntimeDirectory.entries(of: "\(directory)/shards").reduce(0) { sum, name in
            // A shard that is being opened is counted the next time.
            let actors = (try? ShardReader.read("\(directory)/shards/\(name)").actors) ?? []
            return sum + actors.reduce(0) { $0 + $1.completions }
        }
    }

    @Test func `calls of 8 processes over kills at every stage count exactly once each`() async throws {
        let calls = ProcessInfo.processInfo.environment["DURABLE_TEST_CALLS"].flatMap { Int($0) } ?? 5000
        let seed = UInt64.random(in: 1...1_000_000)
        var generator = SeededGenerator(seed: seed)
        var configuration = RuntimeConfiguration()
        configuration.sessionLease = .seconds(15)
        // The first lives of each worker end at named points, one after the other, and all by random kills as well.
        let points: [FaultPoint] = [
            .workerBeforeCommit, .workerInsideCommit, .workerAfterCommit, .workerBeforeClaim, .workerBeforeRestore,
            .workerAfterRestore,
        ]
        configuration.faults = (1...60).map { life in
            let point = points[(life - 1) % points.count]
            let isPassedOften = [.workerBeforeCommit, .workerInsideCommit, .workerAfterCommit].contains(point)
            let occurrence = isPassedOften ? Int.random(in: 1...30, using: &generator) : 1
            return FaultSpecification(point, occurrence: occurrence, incarnation: Incarnation(life), action: .kill)
        }
        let scratch = ScratchDirectory()
        let directory = scratch.file("data")
        let runtime = try await ActorRuntime.start(directory: directory, configuration: configuration)
        var made = [0, 0, 0, 0]
        var kills = 0
        try await withThrowingTaskGroup(of: [Int].self) { group in
            for number in 0..<8 {
                group.addTask { try await Self.caller(directory, "caller-\(number)", calls / 8) }
            }
            let killer = Task { [generator] in
                var generator = generator
                var kills = 0
                while !Task.isCancelled {
                    // The pace of the kills is no synchronisation: any will do.
                    try? await Task.sleep(for: .milliseconds(Int.random(in: 20...400, using: &generator)))
                    let victims = ((try? await runtime.actors()) ?? []).compactMap(\.processID)
                    if let victim = victims.randomElement(using: &generator), kill(victim, SIGKILL) == 0 { kills += 1 }
                }
                return kills
            }
            do {
                for try await numbers in group { for index in 0..<4 { made[index] += numbers[index] } }
            } catch {
                killer.cancel()
                throw error
            }
            killer.cancel()
            kills = await killer.value
        }
        let atEnd = records(directory)
        let restarts = try await runtime.actors().reduce(0) { $0 + $1.restarts }
        let values = try await Self.caller(directory, "reader", 0).suffix(4)
        #expect(Array(values) == made, "seed \(seed)")
        #expect(made.reduce(0, +) == calls / 8 * 8)
        #expect(restarts > kills, "kills at named points struck as well")
        // A tenth has a key; of the others, callers have at most 16 calls under way, and kills keep some from release.
        let bound = calls / 10 + 9 * 5 * 16 + restarts
        #expect(atEnd <= bound, "seed \(seed)")
        let deadline = ContinuousClock.now + .seconds(90)
        var left = records(directory)
        while left > 0, ContinuousClock.now < deadline {
            try await ContinuousClock().sleep(for: .milliseconds(200))
            left = records(directory)
        }
        #expect(left == 0, "seed \(seed)")
        print(
            "call storm: seed \(seed), \(calls) calls, \(restarts) restarts (\(kills) random kills),",
            terminator: " "
        )
        print("values \(Array(values)), \(atEnd) records at the end, bound \(bound), \(left) after the lease")
        for actor in try await runtime.actors() { try await runtime.kill(actor.id) }
        await runtime.shutdown()
    }
}
