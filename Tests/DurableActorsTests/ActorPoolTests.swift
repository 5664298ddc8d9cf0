import DurableActors
import Glibc
import Testing

/// Pools of actors, in real processes.
@Suite(.serialized, .timeLimit(.minutes(3))) struct ActorPoolTests {
    @Test func `POL-01: four workers map ten inputs to their squares, in the order of the inputs`() async throws {
        try await withPoolWorkers(4) { _, workers in
            let pool = try ActorPool(workers)
            var squares: [Int] = []
            for try await square in pool.map(0..<10, { try await $0.square($1) }) { squares.append(square) }
            #expect(squares == (0..<10).map { $0 * $0 })
            #expect(pool.hasFree && pool.workerCount == 4)
            for try await _ in pool.map([Int](), { try await $0.square($1) }) { Issue.record("there is no input") }
        }
    }

    @Test func `POL-02: ten submissions are retrieved in their order, also when later ones finish first`()
        async throws
    {
        let scratch = ScratchDirectory()
        try await withPoolWorkers(4) { _, workers in
            let pool = try ActorPool(workers, results: Int.self)
            let (hold, log) = (scratch.file("hold"), scratch.file("log"))
            _ = Attempts.note(in: hold)
            for number in 0..<10 { pool.submit { try await $0.step(number, hold: number == 0 ? hold : "", log: log) } }
            try await eventually("the others have ended") {
                Notes.lines(of: log).count { $0.hasPrefix("end") }
            } is: {
                $0 == 9
            }
            let early = await failure { _ = try await pool.next(timeout: .milliseconds(10)) }
            #expect(early?.code == .timedOut, "the first has not ended, and is retrieved later")
            unlink(hold)
            var results: [Int] = []
            while pool.hasNext { results.append(try await pool.next()) }
            #expect(results == Array(0..<10))
        }
    }

    @Test func `POL-03: without order results come by completion, and are the same`() async throws {
        let scratch = ScratchDirectory()
        try await withPoolWorkers(3) { _, workers in
            let pool = try ActorPool(workers, results: Int.self)
            let (hold, log) = (scratch.file("hold"), scratch.file("log"))
            _ = Attempts.note(in: hold)
            for number in 0..<5 { pool.submit { try await $0.step(number, hold: number == 0 ? hold : "", log: log) } }
            var results: [Int] = []
            for _ in 0..<4 { results.append(try await pool.nextUnordered()) }
            #expect(results.sorted() == [1, 2, 3, 4])
            let none = await failure { _ = try await pool.nextUnordered(timeout: .milliseconds(10)) }
            #expect(none?.code == .timedOut && pool.hasNext)
            unlink(hold)
            #expect(try await pool.nextUnordered(timeout: .seconds(60)) == 0)

            _ = Attempts.note(in: hold)
            results = []
            let map = pool.mapUnordered(0..<20, window: 3) { worker, number in
                try await worker.step(number, hold: number == 0 ? hold : "", log: log)
            }
            for try await number in map {
                results.append(number)
                if results.count == 19 { unlink(hold) }
            }
            #expect(results.last == 0 && results.sorted() == Array(0..<20))
        }
    }

    @Test func `POL-06: a worker has one call at a time, the surplus waits in order, and nobody idles meanwhile`()
        async throws
    {
        let scratch = ScratchDirectory()
        try await withPoolWorkers(3) { _, workers in
            let pool = try ActorPool(workers, results: Int.self)
            let holds = (0..<9).map { scratch.file("hold\($0)") }
            for hold in holds { _ = Attempts.note(in: hold) }
            for (number, hold) in holds.enumerated() {
                pool.submit { worker in
                    let log = scratch.file("\(worker.id)")
                    Notes.write("\(number)", to: scratch.file("order"))
                    return try await worker.step(number, hold: hold, log: log)
                }
            }
            for number in 0..<9 {
                // Whichever ends, the worker that it had goes on with the oldest one that waits.
                let begun = min(3 + number, 9)
                try await eventually("\(begun) have begun") {
                    workers.reduce(0) { sum, worker in
                        sum + Notes.lines(of: scratch.file("\(worker.id)")).count { $0.hasPrefix("begin") }
                    }
                } is: {
                    $0 == begun
                }
                #expect(Set(Notes.lines(of: scratch.file("order"))) == Set((0..<begun).map(String.init)))
                unlink(holds[number])
                #expect(try await pool.nextUnordered() == number)
            }
            for worker in workers {
                let lines = Notes.lines(of: scratch.file("\(worker.id)"))
                for (index, line) in lines.enumerated() {
                    #expect(line.hasPrefix(index % 2 == 0 ? "begin" : "end"), "two at a time: \(lines)")
                }
            }
        }
    }

    @Test func `POL-07: with nothing pending there is no next, and a retrieval fails at once`() async throws {
        try await withPoolWorkers(1) { _, workers in
            let pool = try ActorPool(workers, results: Int.self)
            for round in 0..<2 {
                #expect(!pool.hasNext)
                for timeout in [nil, Duration.zero, .seconds(60)] {
                    let ordered = await failure { _ = try await pool.next(timeout: timeout) }
                    let unordered = await failure { _ = try await pool.nextUnordered(timeout: timeout) }
                    #expect(ordered?.code == .noMoreResults && unordered?.code == .noMoreResults)
                }
                pool.submit { try await $0.square(round) }
                #expect(pool.hasNext)
                #expect(try await pool.next() == round * round)
            }
            let refused = await failure { _ = try await pool.next(timeout: .seconds(-1)) }
            #expect(refused?.code == .invalidArgument)
        }
    }

    @Test func `POL-09: retrievals in order and by completion can be mixed, and each result comes once`() async throws {
        let scratch = ScratchDirectory()
        try await withPoolWorkers(2) { _, workers in
            let pool = try ActorPool(workers, results: Int.self)
            let (hold, log) = (scratch.file("hold"), scratch.file("log"))
            _ = Attempts.note(in: hold)
            for number in 0..<6 { pool.submit { try await $0.step(number, hold: number == 0 ? hold : "", log: log) } }
            var left: Set = [1, 2, 3, 4, 5]
            #expect(left.remove(try await pool.nextUnordered()) != nil)
            async let first = pool.next()
            #expect(left.remove(try await pool.nextUnordered()) != nil, "the first was promised, and has not ended")
            unlink(hold)
            #expect(try await first == 0)
            for isOrdered in [true, false, true] {
                let number = isOrdered ? try await pool.next() : try await pool.nextUnordered()
                if isOrdered { #expect(number == left.min()) }
                #expect(left.remove(number) != nil)
            }
            #expect(!pool.hasNext)
        }
    }

    @Test func `POL-10: an error is that of its item, its worker stays, and the rest goes on`() async throws {
        try await withPoolWorkers(2) { runtime, workers in
            let pool = try ActorPool(workers, results: Int.self)
            for number in 0..<6 {
                pool.submit { number % 3 == 1 ? try await $0.refuse(number) : try await $0.square(number) }
            }
            for number in 0..<6 {
                if number % 3 == 1 {
                    await #expect(throws: Refusal(reason: "not \(number)")) { try await pool.next() }
                } else {
                    #expect(try await pool.next() == number * number)
                }
            }
            #expect(pool.workerCount == 2)

            // Another actor that is dead is no reason to give up the worker that called it.
            let other = try await runtime.spawn(PoolWorker.self)
            try await runtime.kill(other)
            pool.submit { try await $0.ask(other, 1) }
            let error = await failure { _ = try await pool.next() }
            #expect(error?.code == .died && error?.actor == other.id && pool.workerCount == 2)

            // An iteration goes on behind an error when it is asked to.
            let results = pool.map(0..<4) { worker, number in
                number == 1 ? try await worker.refuse(number) : try await worker.square(number)
            }.makeAsyncIterator()
            #expect(try await results.next() == 0)
            await #expect(throws: Refusal.self) { try await results.next() }
            #expect(try await results.next() == 4)
            #expect(try await results.next() == 9)
            #expect(try await results.next() == nil)
        }
    }

    @Test
    func `POL-12: an item whose worker restarts fails, and the worker stays and has the next items when it is back`()
        async throws
    {
        let scratch = ScratchDirectory()
        try await withPoolWorkers(1, ActorOptions(maxRestarts: 1)) { _, workers in
            let pool = try ActorPool(workers, results: Int.self)
            pool.submit { try await $0.squareDying(3, times: 1, log: scratch.file("log")) }
            for number in 0..<50 { pool.submit { try await $0.square(number) } }
            let error = await failure { _ = try await pool.next() }
            #expect(error?.code == .unavailable && error?.actor == workers[0].id)
            // A worker between two lives would have failed them all.
            for number in 0..<50 { #expect(try await pool.next() == number * number) }
            #expect(pool.workerCount == 1 && pool.hasFree)
        }
    }

    @Test func `POL-13: a worker that is pushed gets waiting work at once, and is refused when it is there`()
        async throws
    {
        let scratch = ScratchDirectory()
        try await withPoolWorkers(2) { _, workers in
            let pool = try ActorPool([workers[0]], results: Int.self)
            let (hold, log) = (scratch.file("hold"), scratch.file("log"))
            let idle = await failure { try pool.push(workers[0]) }
            _ = Attempts.note(in: hold)
            pool.submit { try await $0.step(0, hold: hold, log: log) }
            pool.submit { try await $0.square(5) }
            let busy = await failure { try pool.push(workers[0]) }
            #expect(idle?.code == .invalidArgument && busy?.code == .invalidArgument)
            #expect(!pool.hasFree)
            try pool.push(workers[1])
            #expect(try await pool.nextUnordered() == 25)
            unlink(hold)
            #expect(try await pool.next() == 0)
            let twice = await failure { _ = try ActorPool(workers + workers) }
            #expect(twice?.code == .invalidArgument)
        }
    }

    @Test func `POL-14: what makes several calls gives all of their results together`() async throws {
        try await withPoolWorkers(2) { _, workers in
            let pool = try ActorPool(workers, results: (Int, Int32).self)
            for number in 0..<4 { pool.submit { (try await $0.square(number), try await $0.processID()) } }
            var processes: Set<Int32> = []
            for number in 0..<4 {
                let (square, process) = try await pool.next()
                #expect(square == number * number)
                processes.insert(process)
            }
            #expect(processes.isSubset(of: [try await workers[0].processID(), try await workers[1].processID()]))
        }
    }

    @Test func `POL-15: an idle worker can be taken out, a busy one not, and none is free while work waits`()
        async throws
    {
        let scratch = ScratchDirectory()
        try await withPoolWorkers(2) { _, workers in
            let pool = try ActorPool(workers, results: Int.self)
            let (hold, log) = (scratch.file("hold"), scratch.file("log"))
            _ = Attempts.note(in: hold)
            pool.submit { try await $0.step(0, hold: hold, log: log) }
            #expect(pool.hasFree)
            let taken = try #require(pool.popIdle())
            #expect(workers.contains(taken) && pool.workerCount == 1)
            #expect(!pool.hasFree && pool.popIdle() == nil)
            pool.submit { try await $0.square(2) }
            #expect(!pool.hasFree && pool.popIdle() == nil)
            unlink(hold)
            #expect(try await pool.next() == 0)
            #expect(try await pool.next() == 4)
            let last = try #require(pool.popIdle())
            #expect(last != taken && pool.workerCount == 0)
            try pool.push(taken)
            #expect(pool.popIdle() == taken)
            // Without anybody, work does not wait for ever.
            pool.submit { try await $0.square(3) }
            let error = await failure { _ = try await pool.next() }
            #expect(error?.code == .died)
        }
    }

    @Test func `a retrieval that is cancelled ends at once, and its result comes to the next one`() async throws {
        let scratch = ScratchDirectory()
        try await withPoolWorkers(1) { _, workers in
            let pool = try ActorPool(workers, results: Int.self)
            let (hold, log) = (scratch.file("hold"), scratch.file("log"))
            _ = Attempts.note(in: hold)
            pool.submit { try await $0.step(5, hold: hold, log: log) }
            for isOrdered in [true, false] {
                let waiting = Task { isOrdered ? try await pool.next() : try await pool.nextUnordered() }
                waiting.cancel()
                await #expect(throws: CancellationError.self) { try await waiting.value }
            }
            #expect(pool.hasNext)
            unlink(hold)
            #expect(try await pool.next() == 5)
        }
    }
}
