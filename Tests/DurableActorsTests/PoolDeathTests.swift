import DurableActors
import DurableChaos
import Glibc
import Testing

/// Pools whose workers die.
@Suite(.serialized, .timeLimit(.minutes(3))) struct PoolDeathTests {
    @Test func `POL-18: under kills every input of a map has one result, and at the end all workers are idle`()
        async throws
    {
        let seed = UInt64.random(in: 0...UInt64.max)
        try await withPoolWorkers(4, .resilient) { runtime, workers in
            let pool = try ActorPool(workers)
            var killer = ProcessKiller(runtime, seed: seed)
            var (results, kills) = ([Int](), 0)
            for try await result in pool.map(0..<600, { try await $0.add($1) }) {
                results.append(result)
                if results.count.isMultiple(of: 30), try await killer.strikeWorker() != nil { kills += 1 }
            }
            #expect(results == Array(0..<600), "seed \(seed)")
            #expect(kills >= 10, "seed \(seed)")
            var (idle, total) = ([PoolWorker](), 0)
            while let worker = pool.popIdle() { idle.append(worker) }
            #expect(Set(idle) == Set(workers), "seed \(seed)")
            for worker in workers { total += try await worker.read() }
            #expect(total == (0..<600).reduce(0, +), "each was added once; seed \(seed)")
        }
    }

    @Test func `work whose worker died for good is done by another, and the dead one is taken out`() async throws {
        let scratch = ScratchDirectory()
        try await withPoolWorkers(3) { _, workers in
            let pool = try ActorPool(workers, results: Int.self)
            for number in 0..<10 {
                pool.submit {
                    try await $0.squareDying(number, times: number == 4 ? 2 : 0, log: scratch.file("\(number)"))
                }
            }
            for number in 0..<10 { #expect(try await pool.next() == number * number) }
            #expect(Attempts.count(in: scratch.file("4")) == 3)
            #expect(pool.workerCount == 1)
        }
    }

    @Test func `work that kills every worker is given up after as many as allowed`() async throws {
        let scratch = ScratchDirectory()
        try await withPoolWorkers(4) { _, workers in
            let pool = try ActorPool(workers, results: Int.self, maxTaskRetries: 1)
            pool.submit { try await $0.squareDying(1, times: 100, log: scratch.file("log")) }
            let error = await failure { _ = try await pool.next() }
            #expect(error?.code == .died && Attempts.count(in: scratch.file("log")) == 2)
            pool.submit { try await $0.square(2) }
            #expect(try await pool.next() == 4)
            #expect(pool.workerCount == 2)
        }
    }

    @Test func `dead workers are replaced, and when none can be made, work fails with the reason`() async throws {
        let scratch = ScratchDirectory()
        try await withPoolWorkers(2) { runtime, workers in
            let pool = try ActorPool(workers, results: Int.self) {
                guard Attempts.note(in: scratch.file("made")) <= 3 else { throw Refusal(reason: "enough") }
                return try await runtime.spawn(PoolWorker.self)
            }
            pool.submit { try await $0.squareDying(6, times: 3, log: scratch.file("log")) }
            #expect(try await pool.next() == 36)
            try await eventually("the pool is whole again") {
                pool.workerCount
            } is: {
                $0 == 2
            }
            // Two workers die with the first, and no other can be made for them.
            pool.submit { try await $0.squareDying(6, times: 100, log: scratch.file("log2")) }
            pool.submit { try await $0.squareDying(7, times: 100, log: scratch.file("log3")) }
            for _ in 0..<2 {
                let error = await failure { _ = try await pool.next() }
                #expect(error?.code == .died)
                #expect(error?.message.contains("no worker left") == true && error?.cause?.contains("enough") == true)
            }
            #expect(pool.workerCount == 0)
        }
    }

    @Test func `a replacement that is dead itself is none`() async throws {
        try await withPoolWorkers(2) { runtime, workers in
            let pool = try ActorPool([workers[0]], results: Int.self, maxTaskRetries: .unlimited) { workers[1] }
            for worker in workers {
                try await runtime.kill(worker)
                let error = await failure { _ = try await worker.square(1) }
                #expect(error?.code == .died)
            }
            pool.submit { try await $0.square(2) }
            let error = await failure { _ = try await pool.next(timeout: .seconds(60)) }
            #expect(error?.code == .died && error?.cause?.contains("dead already") == true)
        }
    }

    @Test func `workers that died while they were idle cost no attempt, and are not given out`() async throws {
        try await withPoolWorkers(4) { runtime, workers in
            let pool = try ActorPool(workers, results: Int.self, maxTaskRetries: 0)
            for worker in workers { _ = try await worker.square(1) }
            for worker in workers.dropFirst() {
                try await runtime.kill(worker)
                let error = await failure { _ = try await worker.square(1) }
                #expect(error?.code == .died)
            }
            pool.submit { try await $0.square(7) }
            #expect(try await pool.next() == 49)
            #expect(pool.workerCount == 1)
            try await runtime.kill(workers[0])
            let error = await failure { _ = try await workers[0].square(1) }
            #expect(error?.code == .died && pool.popIdle() == nil && pool.workerCount == 0)
        }
    }
}
