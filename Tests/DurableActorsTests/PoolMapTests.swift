import DurableActors
import Glibc
import Testing

/// Maps over pools.
@Suite(.serialized, .timeLimit(.minutes(3))) struct PoolMapTests {
    @Test func `a map holds no more inputs than its window ahead of what was taken`() async throws {
        try await withPoolWorkers(2) { _, workers in
            let pool = try ActorPool(workers)
            for (window, ahead) in [(nil, 4), (1, 1), (7, 7)] {
                let inputs = Endless()
                var taken = 0
                for try await square in pool.map(inputs, window: window, { try await $0.square($1) }) {
                    #expect(square == taken * taken)
                    taken += 1
                    #expect(inputs.drawn == taken - 1 + ahead)
                    if taken == 50 { break }
                }
            }
            let refused = await failure {
                for try await _ in pool.map(Endless(), window: 0, { try await $0.square($1) }) {}
            }
            #expect(refused?.code == .invalidArgument)
        }
    }

    @Test func `each map has results of its own, apart from those of what was submitted`() async throws {
        try await withPoolWorkers(2) { _, workers in
            let pool = try ActorPool(workers, results: Int.self)
            pool.submit { try await $0.square(10) }
            let outer = pool.map(0..<10) { try await $0.square($1) }
            var number = 0
            for try await square in outer {
                #expect(square == number * number)
                let texts = pool.mapUnordered([number]) { "\(try await $0.square($1))" }
                for try await text in texts { #expect(text == "\(number * number)") }
                number += 1
            }
            #expect(number == 10)
            #expect(try await pool.next() == 100)
            #expect(!pool.hasNext)
        }
    }

    @Test func `what a map had not begun when it was dropped does not run`() async throws {
        let scratch = ScratchDirectory()
        try await withPoolWorkers(1) { _, workers in
            let pool = try ActorPool(workers, results: Int.self)
            let (hold, log) = (scratch.file("hold"), scratch.file("log"))
            _ = Attempts.note(in: hold)
            let map = pool.map(0..<4, window: 4) { worker, number in
                try await worker.step(number, hold: number == 1 ? hold : "", log: log)
            }
            for try await first in map {
                #expect(first == 0)
                try await eventually("the second has begun") {
                    Notes.lines(of: log).last
                } is: {
                    $0 == "begin 1"
                }
                break
            }
            pool.submit { try await $0.step(100, log: log) }
            unlink(hold)
            #expect(try await pool.next() == 100)
            #expect(Notes.lines(of: log).filter { $0.hasPrefix("begin") } == ["begin 0", "begin 1", "begin 100"])
        }
    }
}

/// All numbers from 0 on, and how many of them somebody has asked for.
private final class Endless: Sequence, IteratorProtocol {
    private(set) var drawn = 0

    func next() -> Int? {
        drawn += 1
        return drawn - 1
    }
}
