import Distributed
import Foundation
import Synchronization
import Testing

@testable import DurableTransport

extension TransportTests {
    actor Cell {
        let loop: EventLoop
        var count = 0

        init(_ loop: EventLoop) { self.loop = loop }

        nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

        func isOnLoop() -> Bool { loop.isCurrent }

        func isOnLoopAfterCalling(_ other: Cell) async -> Bool {
            let isBefore = loop.isCurrent
            let isThere = await other.isOnLoop()
            return isBefore && isThere && loop.isCurrent
        }

        /// What `trips` counts once this actor has called the other one.
        func count(_ trips: Counter, calling other: Cell) async -> [Int] {
            let before = trips.value
            // Should the call go through the queue, this work before it has run.
            loop.execute { trips.add() }
            return [before, await other.value(of: trips), trips.value]
        }

        func value(of counter: Counter) -> Int { counter.value }

        func bump() { count += 1 }

        func run(_ work: @Sendable () -> Void) { work() }
    }

    @Suite struct ExecutorTests {
        @Test func `an actor with the loop as its executor runs on the loop's thread, from any caller`() async throws {
            try await withLoops(1) { loops in
                let cell = Cell(loops[0])
                #expect(await cell.isOnLoop())
                #expect(await Task.detached { await cell.isOnLoop() }.value)
                #expect(await cell.isOnLoopAfterCalling(Cell(loops[0])))
                await withTaskGroup(of: Void.self) { group in
                    for _ in 0..<1000 { group.addTask { await cell.bump() } }
                }
                #expect(await cell.count == 1000)
            }
        }

        @Test func `a task that prefers the loop runs on it and enters its actors without another trip`() async throws {
            try await withLoops(1) { loops in
                let loop = loops[0]
                let cell = Cell(loop)
                let other = Cell(loop)
                let result = await Task(executorPreference: loop) {
                    let trips = Counter()
                    #expect(loop.isCurrent)
                    loop.execute { trips.add() }
                    return await cell.count(trips, calling: other)
                }.value
                #expect(result == [0, 0, 0])
            }
        }

        @Test func `a task of a prompt executor that leaves an actor goes on before other work, and queues to enter`()
            async throws
        {
            try await withLoops(1) { loops in
                let loop = loops[0]
                let (cell, prompt) = (Cell(loop), PromptExecutor(loop))
                let result = await Task(executorPreference: prompt) {
                    let trips = Counter()
                    // Handed over inside of the actor, so it runs before the task if that queues on its way out.
                    await cell.run { loop.execute { trips.add() } }
                    let outside = trips.value
                    return [outside, await cell.value(of: trips), loop.isCurrent ? 1 : 0]
                }.value
                #expect(result == [0, 1, 1])
            }
        }

        @Test func `tasks of a prompt executor that go to and fro let each other run`() async throws {
            try await withLoops(1) { loops in
                let (cell, prompt) = (Cell(loops[0]), PromptExecutor(loops[0]))
                let (flag, rounds) = (Counter(), Counter())
                let spinning = Task(executorPreference: prompt) {
                    while flag.value == 0, rounds.value < 1_000_000 {
                        await cell.bump()
                        rounds.add()
                    }
                }
                await Task(executorPreference: prompt) { await cell.run { flag.add() } }.value
                await spinning.value
                #expect(rounds.value < 1_000_000)
            }
        }

        @Test func `a task that prefers the loop comes back to it after another executor`() async throws {
            try await withLoops(2) { loops in
                let away = Cell(loops[1])
                let result = await Task(executorPreference: loops[0]) { [loop = loops[0]] in
                    var places = [loop.isCurrent, await away.isOnLoop(), loop.isCurrent]
                    try? await Task.sleep(for: .milliseconds(1))
                    places.append(loop.isCurrent)
                    await withTaskGroup(of: Bool.self) { group in
                        for _ in 0..<10 { group.addTask { loop.isCurrent } }
                        for await place in group { places.append(place) }
                    }
                    return places
                }.value
                #expect(result == [Bool](repeating: true, count: 14))
            }
        }

        @Test func `a task is the same job of the loop before and after it waits, and no job is left at the end`()
            async throws
        {
            try await withLoops(1) { loops in
                let loop = loops[0]
                let job = Present()
                loop.execute { loop.watchJobs { job.number.store($0, ordering: .relaxed) } }
                let numbers = await Task(executorPreference: loop) {
                    let first = job.value
                    try? await Task.sleep(for: .milliseconds(1))
                    return [first, job.value]
                }.value
                #expect(numbers[0] != 0 && numbers[0] == numbers[1])
                let differs = await Task(executorPreference: loop) {
                    let child = await Task(executorPreference: loop) { job.value }.value
                    return child != 0 && child != job.value
                }.value
                #expect(differs, "two tasks at a time are two jobs")
                let between = await withCheckedContinuation { continuation in
                    loop.execute { continuation.resume(returning: job.value) }
                }
                #expect(between == 0)
            }
        }

        @Test func `an ordinary actor called from a task that prefers the loop stays consistent`() async throws {
            actor Plain {
                var count = 0
                func bump() async {
                    let before = count
                    count = before + 1
                }
            }
            try await withLoops(2) { loops in
                let plain = Plain()
                await withTaskGroup(of: Void.self) { group in
                    for number in 0..<2000 {
                        group.addTask(executorPreference: loops[number % 2]) { await plain.bump() }
                    }
                }
                #expect(await plain.count == 2000)
            }
        }

        @Test func `handlers, work and timers may assume the isolation of the loop's actors`() async throws {
            let directory = try TemporaryDirectory()
            try await withLoops(1) { loops in
                let cell = Cell(loops[0])
                let done = Record<Int>()
                loops[0].execute { cell.assumeIsolated { $0.count += 1 } }
                loops[0].schedule(after: .zero) { cell.assumeIsolated { $0.count += 1 } }
                let listener = try Listener.bind(path: directory.socket())
                try listener.accept(on: loops[0], hello: { Hello(role: 1) }) { _ in
                    ConnectionHandler(received: { _, _, _ in
                        cell.assumeIsolated { cell in
                            cell.count += 1
                            done.append(cell.count)
                        }
                    })
                }
                while await cell.count < 2 { await Task.yield() }
                let client = try RawClient(directory.socket())
                client.write(helloBytes() + wire(1))
                let value1 = try await done.wait(for: 1)
                #expect(value1 == [3])
            }
        }

        @Test func `a distributed actor runs on the loop too`() async throws {
            try await withLoops(1) { loops in
                let system = LocalTestingDistributedActorSystem()
                Remote.loop.withLock { $0 = loops[0] }
                defer { Remote.loop.withLock { $0 = nil } }
                let actor = Remote(actorSystem: system)
                #expect(try await actor.isOnLoop())
                let isOnLoop = try await Task(executorPreference: loops[0]) { try await actor.isOnLoop() }.value
                #expect(isOnLoop)
            }
        }
    }

    /// The job that runs.
    final class Present: Sendable {
        let number = Atomic<UInt>(0)

        var value: UInt { number.load(ordering: .relaxed) }
    }

    distributed actor Remote {
        typealias ActorSystem = LocalTestingDistributedActorSystem
        static let loop = Mutex<EventLoop?>(nil)

        nonisolated var unownedExecutor: UnownedSerialExecutor {
            guard let loop = Remote.loop.withLock({ $0 }) else { return MainActor.sharedUnownedExecutor }
            return loop.asUnownedSerialExecutor()
        }

        distributed func isOnLoop() -> Bool { Remote.loop.withLock { $0?.isCurrent ?? false } }
    }
}
