import DurableActors
import DurableChaos

/// A register, as callers see it.
struct RegisterModel: SequentialModel {
    enum Operation: Codable, Sendable { case read, write(Int), add(Int) }

    var value = 0

    mutating func apply(_ operation: Operation) -> Int {
        switch operation {
        case .read: break
        case .write(let value): self.value = value
        case .add(let amount): value += amount
        }
        return value
    }
}

/// Short histories of a few callers at one register, each searched for an order that explains it.
struct StormSampler: Sendable {
    let actor: StormActor
    let witness: StormWitness

    /// Samples until told to stop; returns how many histories there were.
    func run(seed: UInt64, wish: @Sendable () -> StormClient.Wish) async -> Int {
        var generator = SeededGenerator(seed: seed)
        var histories = 0
        while true {
            switch wish() {
            case .stop: return histories
            case .rest: try? await Task.sleep(for: .milliseconds(5))
            case .work:
                histories += 1
                await sample(histories, seed: generator.next())
            }
        }
    }

    private func sample(_ key: Int, seed: UInt64) async {
        let recorder = HistoryRecorder<RegisterModel>()
        await withTaskGroup(of: Void.self) { group in
            for caller in 0..<3 {
                group.addTask {
                    var generator = SeededGenerator(seed: seed &+ UInt64(caller))
                    for _ in 0..<6 { await call(key, recorder, &generator) }
                }
            }
        }
        let verdict = recorder.history.linearizability(from: RegisterModel())
        if !verdict.isLinearizable { witness.violate("register \(key): \(verdict)") }
        await attempt { try await actor.forget(key) }
    }

    private func call(_ key: Int, _ recorder: HistoryRecorder<RegisterModel>, _ generator: inout SeededGenerator) async
    {
        let number = Int.random(in: 1...1000, using: &generator)
        let operation: RegisterModel.Operation =
            switch number % 3 {
            case 0: .read
            case 1: .write(number)
            default: .add(number)
            }
        await attempt { _ = try await recorder.record(operation) { try await actor.register(key, operation) } }
    }

    private func attempt(_ body: () async throws -> Void) async {
        witness.count(issued: 1)
        do {
            try await body()
            witness.count(acknowledged: 1)
        } catch {
            witness.violate("a call to the register failed: \(error)")
        }
    }
}
