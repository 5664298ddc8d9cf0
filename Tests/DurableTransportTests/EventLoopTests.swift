import DurableChaos
import Foundation
import Synchronization
import Testing

@testable import DurableTransport

extension TransportTests {
    @Suite struct EventLoopTests {
        @Test func `work runs on the loop's named thread, in the order it was handed over`() async throws {
            try await withLoops(1) { loops in
                let seen = Record<Int>()
                let names = Record<String>()
                for number in 0..<10_000 {
                    loops[0].execute { [loop = loops[0]] in if loop.isCurrent { seen.append(number) } }
                }
                loops[0].execute {
                    names.append((try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8)) ?? "")
                }
                let value1 = try await names.wait(for: 1)
                #expect(value1 == ["test-0\n"])
                #expect(seen.all == Array(0..<10_000))
                #expect(!loops[0].isCurrent)
            }
        }

        @Test func `timers fire in the order of their times, equal ones in the order they were asked for`() async throws
        {
            try await withLoops(1) { loops in
                let seed = testSeed()
                var random = SeededGenerator(seed: seed)
                let seen = Record<Int>()
                let delays = (0..<300).map { _ in Int.random(in: 0...6, using: &random) * 10 }
                let begin = ContinuousClock.now
                let late = Record<Int>()
                loops[0].execute { [loop = loops[0]] in
                    for (index, delay) in delays.enumerated() {
                        loop.schedule(after: .milliseconds(delay)) {
                            if ContinuousClock.now - begin < .milliseconds(delay) { late.append(index) }
                            seen.append(index)
                        }
                    }
                }
                let order = try await seen.wait(for: 300)
                let expected = delays.indices.sorted { (delays[$0], $0) < (delays[$1], $1) }
                #expect(order == expected, "seed \(seed)")
                #expect(late.all == [], "a timer fired before its time")
            }
        }

        @Test func `a cancelled timer does not fire and lets go of its work`() async throws {
            try await withLoops(1) { loops in
                let seen = Record<String>()
                weak var weakPeer: Peer?
                let timers = (0..<1000).map { _ in
                    let peer = Peer()
                    weakPeer = peer
                    return loops[0].schedule(after: .milliseconds(30)) {
                        seen.append("cancelled")
                        peer.closed.append(nil)
                    }
                }
                for timer in timers { timer.cancel() }
                #expect(weakPeer == nil)
                loops[0].schedule(after: .milliseconds(60)) { seen.append("kept") }
                loops[0].schedule(after: .seconds(1_000_000_000_000)) { seen.append("never") }
                let value2 = try await seen.wait(for: 1)
                #expect(value2 == ["kept"])
                timers[0].cancel()
                try await eventually("cancelled timers are not counted for ever") {
                    loops[0].cancelledTimers.load(ordering: .relaxed) == 0
                }
            }
        }

        @Test func `a loop that waits does not turn`() async throws {
            try await withLoops(1) { loops in
                let turns = Counter()
                let seen = Record<Int>()
                loops[0].schedule(after: .milliseconds(150)) { seen.append(turns.value) }
                loops[0].setBatchEnd { turns.add() }
                let value3 = try await seen.wait(for: 1)[0]
                #expect(value3 <= 5)
            }
        }

        @Test func `the hook runs after the batch and before what the batch sent leaves`() async throws {
            let directory = try TemporaryDirectory()
            try await withLoops(1) { loops in
                _ = try EchoServer(directory.socket(), on: loops[0])
                let client = try RawClient(directory.socket())
                client.write(helloBytes())
                #expect(client.read(14) != nil)
                let fd = client.fd
                let leaks = Counter()
                let hooks = Counter()
                loops[0].setBatchEnd {
                    hooks.add()
                    var byte: UInt8 = 0
                    if recv(fd, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT)) > 0 {
                        leaks.add()
                    }
                }
                for _ in 0..<50 {
                    client.write(wire(1, [1]))
                    #expect(client.read(6) == wire(1, [1]))
                }
                #expect(leaks.value == 0)
                #expect(hooks.value >= 50)
            }
        }

        /// The socket is full again and again and becomes writable in the middle of a batch, after or before an event
        /// that sends. All of it happens on one thread: the hook is also the client that reads.
        @Test func `the hook also runs before replies that waited for a full socket`() async throws {
            let directory = try TemporaryDirectory()
            try await withLoops(1) { loops in
                let server = try EchoServer(directory.socket(), on: loops[0])
                let client = try RawClient(directory.socket())
                client.write(helloBytes())
                let connection = try await server.connections.wait(for: 1)[0]
                #expect(client.read(12 + 2) != nil)
                let (produced, released, arrived, leaks) = (Counter(), Counter(), Counter(), Counter())
                let batches = Counter()
                let total = 20 << 20
                let fd = client.fd
                loops[0].setBatchEnd {
                    // The client reads in gulps, so the socket is full in between.
                    var buffer = [UInt8](repeating: 0, count: 1 << 20)
                    let gulp = batches.add() % 4 == 0 ? buffer.count : 1
                    let count = recv(fd, &buffer, gulp, Int32(MSG_DONTWAIT))
                    if count > 0 { arrived.add(count) }
                    var unread: Int32 = 0
                    _ = ioctl(fd, UInt(FIONREAD), &unread)
                    if arrived.value + Int(unread) > released.value { leaks.add() }
                    released.set(produced.value)
                }
                var ends: [Int32] = [-1, -1]
                #expect(pipe(&ends) == 0 && write(ends[1], "x", 1) == 1)
                // Always readable, so each batch has this event, and it sends while events are handled.
                let watch = try loops[0].watch(ends[0]) {
                    // Little enough in flight that one flush reaches what this very batch sent.
                    let inFlightMax = 150_000 + produced.value / 120_000 % 5 * 50_000
                    guard produced.value < total, produced.value - arrived.value < inFlightMax else { return }
                    let frame = Frame(kind: 1, payload: [UInt8](repeating: 1, count: 9_995))
                    for _ in 0..<12 where connection.send(frame) { produced.add(10_000) }
                }
                try await eventually("everything arrived", seen: { "\(arrived.value)" }) { arrived.value >= total }
                watch.cancel()
                #expect(leaks.value == 0)
                loops[0].setBatchEnd(nil)
                for end in ends { close(end) }
            }
        }

        @Test func `work of the hook makes another round without a wake-up from outside`() async throws {
            try await withLoops(1) { loops in
                let rounds = Counter()
                loops[0].setBatchEnd { [loop = loops[0]] in
                    guard rounds.add() < 1000 else { return }
                    loop.execute {}
                }
                loops[0].execute {}
                try await eventually("a thousand rounds") { rounds.value >= 1000 }
            }
        }

        /// The hook runs before timers do. What commits there would else wait for the next event, which may never come.
        @Test func `the hook sees what a timer did before the loop sleeps`() async throws {
            try await withLoops(1) { loops in
                let (fired, seen) = (Counter(), Counter())
                loops[0].setBatchEnd { seen.set(fired.value) }
                for number in 1...20 {
                    loops[0].schedule(after: .milliseconds(1)) { fired.add() }
                    // Nothing else happens on the loop: only a round that it owes calls the hook once more.
                    try await eventually("the hook after timer \(number)", seen: { "\(seen.value)" }) {
                        seen.value == number
                    }
                }
            }
        }

        @Test func `the hook runs at least once for each bounded batch of work`() async throws {
            let loop = try EventLoop(name: "bounded")
            loop.setJobsPerBatchMax(10)
            let ran = Counter()
            let largest = Mutex((previous: 0, gap: 0))
            loop.setBatchEnd {
                largest.withLock { state in
                    let now = ran.value
                    state = (now, max(state.gap, now - state.previous))
                }
            }
            for _ in 0..<1000 { loop.execute { ran.add() } }
            loop.execute { loop.stop() }
            await withCheckedContinuation { continuation in
                Thread.detachNewThread {
                    loop.run()
                    continuation.resume()
                }
            }
            #expect(ran.value == 1000)
            #expect(largest.withLock { $0.gap } <= 10)
            loop.join()
        }

        @Test func `a watched descriptor is reported until its watch is cancelled`() async throws {
            try await withLoops(1) { loops in
                var ends: [Int32] = [-1, -1]
                #expect(pipe(&ends) == 0)
                let calls = Counter()
                let watches = Mutex<LoopWatch?>(nil)
                let watch = try loops[0].watch(ends[0]) {
                    if calls.add() == 3 { watches.withLock { $0 }?.cancel() }
                }
                watches.withLock { $0 = watch }
                #expect(write(ends[1], "x", 1) == 1)
                try await eventually("three reports") { calls.value >= 3 }
                let settled = Record<Int>()
                loops[0].schedule(after: .milliseconds(20)) { settled.append(calls.value) }
                let value4 = try await settled.wait(for: 1)
                #expect(value4 == [3])
                close(ends[0])
                close(ends[1])
                let error = #expect(throws: TransportError.self) { try loops[0].watch(-1) {} }
                #expect(error?.code == .system)
            }
        }

        @Test func `stopping runs what was handed over before and refuses what comes after`() async throws {
            let loop = try EventLoop(name: "stopping")
            loop.join()
            let ran = Counter()
            loop.start()
            for _ in 0..<1000 { loop.execute { ran.add() } }
            loop.stop()
            loop.join()
            loop.join()
            #expect(ran.value == 1000)
            loop.execute { ran.add() }
            #expect(ran.value == 1000)
        }

        @Test func `a loop that ended is freed`() async throws {
            weak var weakLoop: EventLoop?
            do {
                let directory = try TemporaryDirectory()
                let loop = try EventLoop(name: "freed")
                weakLoop = loop
                loop.start()
                let server = try EchoServer(directory.socket(), on: loop)
                try await expectService(directory.socket(), on: loop)
                loop.schedule(after: .seconds(1000)) {}
                loop.stop()
                loop.join()
                server.listener.close()
            }
            try await eventually("it is freed") { weakLoop == nil }
        }
    }
}
