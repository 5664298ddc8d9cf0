import DurableChaos
import DurableCore
import Testing

struct PoolScheduleTests {
    private func pool(_ workers: String...) -> PoolSchedule<String> {
        var pool = PoolSchedule<String>()
        for worker in workers { #expect(pool.push(worker) == (true, nil)) }
        return pool
    }

    @Test func `work goes to the worker that became idle last, and the surplus waits in order`() {
        var pool = pool("a", "b")
        #expect(pool.submit().action == .start(0, on: "b"))
        #expect(pool.submit().action == .start(1, on: "a"))
        #expect(!pool.hasFree)
        #expect(pool.submit().action == nil)
        #expect(pool.submit().action == nil)
        #expect(pool.waitingCount == 2)
        #expect(pool.finished("a") == .start(2, on: "a"))
        #expect(pool.finished("b") == .start(3, on: "b"))
        #expect(pool.finished("a") == nil)
        #expect(pool.hasFree && pool.popIdle() == "a" && pool.popIdle() == nil && pool.workerCount == 1)
    }

    @Test func `a worker is pushed once, and begins with waiting work at once`() {
        var pool = pool("a")
        #expect(pool.push("a") == (false, nil))
        #expect(pool.submit().action == .start(0, on: "a"))
        #expect(pool.push("a") == (false, nil))
        #expect(pool.submit().action == nil)
        #expect(pool.push("b") == (true, .start(1, on: "b")))
    }

    @Test func `an idle worker can be retired, a busy one cannot, and what comes later goes to others`() {
        var pool = pool("a", "b")
        #expect(pool.submit().action == .start(0, on: "b"))
        #expect(!pool.retire("b") && pool.retire("a") && !pool.retire("a") && pool.workerCount == 1)
        #expect(pool.submit().action == nil)
        #expect(pool.finished("b") == .start(1, on: "b"))
    }

    @Test func `an item whose worker is gone starts before all that came later`() {
        var pool = pool("a", "b")
        for _ in 0..<4 { _ = pool.submit() }
        // b has 0, a has 1; 2 and 3 wait.
        #expect(pool.evicted("a", isReplaced: false, isRetried: true) == nil)
        #expect(pool.evicted("b", isReplaced: true, isRetried: true) == nil)
        #expect(pool.workerCount == 0 && pool.waitingCount == 4)
        #expect(pool.replaced(by: "c") == .start(0, on: "c"))
        for item: UInt64 in 1...3 { #expect(pool.finished("c") == .start(item, on: "c")) }
    }

    @Test func `items fail when nobody is left to run them, and not while somebody may come`() {
        var pool = pool("a")
        for _ in 0..<3 { _ = pool.submit() }
        #expect(pool.evicted("a", isReplaced: true, isRetried: true) == nil)
        #expect(pool.submit().action == nil)
        #expect(pool.replaced(by: nil) == .fail([0, 1, 2, 3]))
        #expect(pool.submit().action == .fail([4]))
        #expect(pool.push("b") == (true, nil), "what has failed does not run")
        #expect(pool.submit().action == .start(5, on: "b"))
        #expect(pool.evicted("b", isReplaced: false, isRetried: false) == nil)
    }

    @Test func `a growing pool makes one worker for each item that waits, up to its size`() {
        var pool = PoolSchedule<String>(growsTo: 2)
        #expect(pool.submit().action == .make)
        #expect(pool.submit().action == .make)
        #expect(pool.submit().action == nil)
        #expect(pool.replaced(by: "a") == .start(0, on: "a"))
        #expect(pool.finished("a") == .start(1, on: "a"))
        #expect(pool.replaced(by: "b") == .start(2, on: "b"))
        #expect(pool.finished("b") == nil && pool.finished("a") == nil)
        #expect(pool.submit().action == .start(3, on: "a"))
        #expect(pool.evicted("a", isReplaced: false, isRetried: true) == .start(3, on: "b"))
        #expect(pool.submit().action == .make)
        #expect(
            pool.evicted("b", isReplaced: false, isRetried: false) == nil,
            "one is being made for the one that waits"
        )
        #expect(pool.submit().action == .make)
        #expect(pool.replaced(by: nil) == nil)
        #expect(pool.replaced(by: nil) == .fail([4, 5]), "what cannot be made is not tried for ever")
        #expect(pool.submit().action == .make)
        #expect(pool.replaced(by: "c") == .start(6, on: "c"))
    }

    @Test func `what is said of workers that are not busy changes nothing`() {
        var pool = pool("a")
        #expect(pool.finished("a") == nil && pool.finished("x") == nil)
        #expect(pool.evicted("a", isReplaced: true, isRetried: true) == nil)
        #expect(pool.workerCount == 1 && pool.waitingCount == 0)
        #expect(pool.submit().action == .start(0, on: "a"))
        pool.replacing()
        #expect(pool.replaced(by: "a") == nil)
        #expect(pool.workerCount == 1, "a worker is in the pool once")
    }

    @Test(arguments: Seeds.first(50)) func `no item is lost, doubled or overtaken, and no worker idles while one waits`(
        seed: UInt64
    ) {
        var random = SeededGenerator(seed: seed)
        let growsTo = seed.isMultiple(of: 2) ? 0 : 4
        var pool = PoolSchedule<Int>(growsTo: growsTo)
        var running: [Int: UInt64] = [:]
        var waiting: Set<UInt64> = []
        var ended: Set<UInt64> = []
        var (workers, idle, making) = (0, Set<Int>(), 0)

        func perform(_ action: PoolSchedule<Int>.Action?) {
            switch action {
            case .start(let item, on: let worker):
                #expect(item == waiting.min() && idle.contains(worker) && running[worker] == nil)
                waiting.remove(item)
                idle.remove(worker)
                running[worker] = item
            case .fail(let items):
                #expect(idle.isEmpty && running.isEmpty && making == 0 && items == waiting.sorted())
                ended.formUnion(items)
                waiting = []
            case .make:
                #expect(idle.isEmpty && running.count + making < growsTo && waiting.count > making)
                making += 1
            case nil: break
            }
            #expect(idle.isEmpty || waiting.isEmpty)
            #expect(pool.hasFree == !idle.isEmpty && pool.waitingCount == waiting.count)
            #expect(pool.workerCount == idle.count + running.count)
        }

        var submitted: UInt64 = 0
        for _ in 0..<2000 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0...3:
                waiting.insert(submitted)
                let (item, action) = pool.submit()
                #expect(item == submitted)
                submitted += 1
                perform(action)
            case 4...6:
                guard let worker = running.keys.sorted().randomElement(using: &random) else { continue }
                ended.insert(running[worker]!)
                running[worker] = nil
                idle.insert(worker)
                perform(pool.finished(worker))
            case 7:
                guard let worker = running.keys.sorted().randomElement(using: &random) else { continue }
                let item = running.removeValue(forKey: worker)!
                let (isReplaced, isRetried) = (!random.oneIn(4), !random.oneIn(4))
                if isReplaced { making += 1 }
                if isRetried { waiting.insert(item) } else { ended.insert(item) }
                perform(pool.evicted(worker, isReplaced: isReplaced, isRetried: isRetried))
            case 8:
                guard making > 0 else { continue }
                making -= 1
                let worker = random.oneIn(3) ? nil : workers
                workers += 1
                if let worker { idle.insert(worker) }
                perform(pool.replaced(by: worker))
            default:
                if random.oneIn(2) {
                    guard let worker = pool.popIdle() else { continue }
                    #expect(idle.remove(worker) != nil)
                    perform(nil)
                } else {
                    idle.insert(workers)
                    let (isNew, action) = pool.push(workers)
                    #expect(isNew)
                    workers += 1
                    perform(action)
                }
            }
        }
        #expect(ended.union(waiting).union(running.values) == Set(0..<submitted), "seed \(seed)")
    }
}

struct PoolResultsTests {
    @Test func `results are taken in order of submission, finished or not`() {
        var results = PoolResults()
        for item: UInt64 in 0..<3 { #expect(results.add() == item) }
        #expect(results.finish(2) == nil)
        #expect(results.takeOldest() == .wait(1))
        #expect(results.takeOldest() == .wait(2))
        #expect(results.finish(1) == 2)
        #expect(results.endWait(2) == 1)
        #expect(results.takeOldest() == .take(2))
        #expect(!results.hasNext && results.takeOldest() == .nothingLeft && results.takeFinished() == .nothingLeft)
        #expect(results.finish(0) == 1 && results.endWait(1) == 0 && results.count == 0)
    }

    @Test func `results are taken by completion, by whoever waits longest`() {
        var results = PoolResults()
        for _ in 0..<4 { _ = results.add() }
        #expect(results.finish(3) == nil && results.finish(1) == nil)
        #expect(results.takeFinished() == .take(3))
        #expect(results.takeFinished() == .take(1))
        #expect(results.takeFinished() == .wait(1))
        #expect(results.takeFinished() == .wait(2))
        #expect(!results.hasNext && results.takeFinished() == .nothingLeft && results.takeOldest() == .nothingLeft)
        #expect(results.finish(2) == 1 && results.finish(0) == 2)
        #expect(results.endWait(1) == 2 && results.endWait(2) == 0 && results.count == 0)
    }

    @Test func `a wait that ends without a result gives up its claim, and one that was handed a result has it`() {
        var results = PoolResults()
        _ = results.add()
        #expect(results.takeOldest() == .wait(1))
        #expect(!results.hasNext)
        #expect(results.endWait(1) == nil)
        #expect(results.hasNext && results.takeFinished() == .wait(2))
        #expect(results.endWait(2) == nil)
        #expect(results.takeFinished() == .wait(3))
        #expect(results.finish(0) == 3)
        #expect(results.endWait(3) == 0)
        #expect(results.endWait(3) == nil && results.finish(0) == nil && !results.hasNext)
    }

    @Test(arguments: Seeds.first(50)) func `each result is retrieved once, however retrievals are mixed and given up`(
        seed: UInt64
    ) {
        var random = SeededGenerator(seed: seed)
        var results = PoolResults()
        var added: UInt64 = 0
        var unfinished: Set<UInt64> = []
        var taken: Set<UInt64> = []
        var waiters: Set<UInt64> = []
        var told: Set<UInt64> = []

        func take(hadNext: Bool, _ retrieval: PoolResults.Retrieval) {
            #expect(hadNext == (retrieval != .nothingLeft))
            switch retrieval {
            case .take(let item): #expect(!unfinished.contains(item) && taken.insert(item).inserted)
            case .wait(let waiter): #expect(waiters.insert(waiter).inserted)
            case .nothingLeft: break
            }
        }

        func endWait(_ waiter: UInt64) {
            waiters.remove(waiter)
            let item = results.endWait(waiter)
            #expect((item != nil) == told.contains(waiter))
            if let item { #expect(!unfinished.contains(item) && taken.insert(item).inserted) }
        }

        for step in 0..<4000 {
            switch Int.random(in: step < 3000 ? 0..<8 : 2..<8, using: &random) {
            case 0, 1:
                unfinished.insert(results.add())
                added += 1
            case 2, 3, 4:
                guard let item = unfinished.sorted().randomElement(using: &random) else { continue }
                unfinished.remove(item)
                if let waiter = results.finish(item) {
                    #expect(waiters.contains(waiter) && told.insert(waiter).inserted)
                }
            case 5: take(hadNext: results.hasNext, results.takeOldest())
            case 6: take(hadNext: results.hasNext, results.takeFinished())
            default:
                if let waiter = waiters.sorted().randomElement(using: &random) { endWait(waiter) }
            }
            #expect(results.count == Int(added) - taken.count, "seed \(seed)")
        }
        for item in unfinished.sorted() { if let waiter = results.finish(item) { told.insert(waiter) } }
        unfinished = []
        for waiter in waiters.sorted() { endWait(waiter) }
        while results.hasNext { take(hadNext: true, random.oneIn(2) ? results.takeOldest() : results.takeFinished()) }
        #expect(taken == Set(0..<added), "seed \(seed)")
    }
}
