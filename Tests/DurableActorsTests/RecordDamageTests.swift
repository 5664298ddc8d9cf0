import DurableActors
import DurableCore
import Foundation
import Glibc
import Testing

/// Damage in a shard's file that is found when the records of calls are read, long after the actor has started.
@Suite(.serialized, .timeLimit(.minutes(2))) struct RecordDamageTests {
    /// How the rows of an actor's calls with keys are damaged.
    enum Damage: CaseIterable {
        /// A checksum does not fit.
        case record
        /// The tree is broken in a way that ends whoever reads it.
        case tree
    }

    @Test(arguments: Damage.allCases, [false, true])
    func `an actor whose records cannot be read is quarantined, and its neighbours go on`(
        damage: Damage,
        isShared: Bool
    ) async throws {
        let scratch = ScratchDirectory()
        let directory = scratch.file("data")
        try await ActorRuntime.withRuntime(directory: directory) { runtime in
            func options(_ name: String) -> ActorOptions {
                let options = ActorOptions.resilient.detached(name: name)
                return isShared ? options.shared("group") : options
            }
            let counter = try await runtime.spawn(Counter.self, options: options("damaged"))
            let neighbour = try await runtime.spawn(Counter.self, options: options("neighbour"))
            #expect(try await neighbour.add(1) == 1)
            for number in 1...200 {
                _ = try await counter.with(.idempotencyKey("key-\(number)")) { try await $0.add(1) }
            }
            try await stop(runtime, try await runtime.process(of: counter)) {
                try damageRecords(of: counter, in: "\(directory)/shards/1/data.mdb", damage)
            }
            #expect(try await counter.read() == 200, "the damage is not where the actor starts")
            #expect(try await neighbour.add(1) == 2)
            let call = counter.submit(.idempotencyKey("key-77")) { try await $0.add(1) }
            let error = await failure { _ = try await call.value(timeout: .seconds(30)) }
            #expect(error?.code == .quarantined, "\(String(describing: error))")
            let text = "\(error?.message ?? "") \(error?.cause ?? "")"
            #expect(text.contains(damage == .tree ? "read the records of its calls" : "checksum"), "\(text)")
            try await eventually("it is quarantined for every call") {
                await failure { _ = try await counter.read() }?.code
            } is: {
                $0 == .quarantined
            }
            #expect(try await neighbour.add(1) == 3)
            let lives = try await runtime.summary(of: neighbour).restarts
            #expect(try await neighbour.add(1) == 4)
            #expect(try await runtime.summary(of: neighbour).restarts == lives)
            try await runtime.kill(neighbour)
            try await runtime.kill(counter)
        }
    }

    /// Does something while neither the worker nor a next life of it has the file open.
    private func stop(_ runtime: ActorRuntime, _ worker: Int32, _ body: () throws -> Void) async throws {
        // Stopped, the supervisor starts nobody.
        let supervisor = try #require(runtime.supervisorProcessID)
        kill(supervisor, SIGSTOP)
        kill(worker, SIGKILL)
        try await eventually("the worker is gone") {
            Processes.isAlive(worker)
        } is: {
            !$0
        }
        try body()
        kill(supervisor, SIGCONT)
    }

    /// Damages the pages with the rows of calls with keys, whose own keys are an actor's id and 16 bytes more.
    private func damageRecords(of actor: Counter, in path: String, _ damage: Damage) throws {
        let file = URL(fileURLWithPath: path)
        var bytes = [UInt8](try Data(contentsOf: file))
        func number(_ offset: Int) -> Int { Int(bytes[offset]) | Int(bytes[offset + 1]) << 8 }
        var damaged = 0
        for page in stride(from: 8192, to: bytes.count, by: 4096) {
            let isLeaf = number(page + 10) == 2
            guard number(page + 10) == (damage == .record ? 2 : 1) else { continue }
            let count = (number(page + 12) - 16) / 2
            let nodes = (0..<max(0, count)).map { page + number(page + 16 + 2 * $0) }
            let rows = nodes.filter { node in
                let isRow = isLeaf ? number(node + 6) == 32 : number(node + 6) >= 16
                return isRow && Array(bytes[node + 8..<node + 24]) == actor.id.bytes
            }
            guard !rows.isEmpty else { continue }
            damaged += 1
            if isLeaf {
                // The last byte of each value.
                for row in rows { bytes[row + 8 + 32 + number(row) - 1] ^= 0xff }
            } else {
                // A branch with one child.
                bytes[page + 12] = 18
                bytes[page + 13] = 0
            }
        }
        try #require(damaged > 0)
        try Data(bytes).write(to: file)
    }
}
