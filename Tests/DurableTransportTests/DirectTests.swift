import Foundation
import Synchronization
import Testing

@testable import DurableTransport

extension TransportTests {
    /// Callers that read their answers on their own threads.
    @Suite struct DirectTests {
        /// What arrived on which thread.
        private struct Arrival: Sendable {
            var number: Int
            var thread: UInt
        }

        private final class Caller: Sendable {
            let opened = Record<Connection>()
            let arrivals = Record<Arrival>()
            let closed = Record<TransportError?>()

            func connect(_ path: String, on loop: EventLoop) async throws -> Connection {
                let handler = ConnectionHandler(
                    opened: { self.opened.append($0) },
                    received: { _, frame, _ in
                        self.arrivals.append(Arrival(number: Caller.number(of: frame), thread: pthread_self()))
                    },
                    closed: { self.closed.append($1) }
                )
                let connection = Connection.connect(path: path, on: loop, hello: Hello(role: 2), handler: handler)
                _ = try await opened.wait(for: 1)
                return connection
            }

            static func frame(_ number: Int, bytes: Int = 8) -> Frame {
                var payload = [UInt8](repeating: 0, count: bytes)
                for index in 0..<8 { payload[index] = UInt8(truncatingIfNeeded: number >> (8 * index)) }
                return Frame(kind: 1, payload: payload)
            }

            static func number(of frame: Frame) -> Int {
                (0..<8).reduce(0) { $0 | Int(frame.payload[$1]) << (8 * $1) }
            }
        }

        /// Runs `body` on a thread of its own: waiting blocks.
        private func onThread<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async -> Result {
            await withCheckedContinuation { continuation in
                Thread { continuation.resume(returning: body()) }.start()
            }
        }

        @Test func `an answer is delivered on the thread that waits for it, and later frames by the loop`() async throws
        {
            let directory = try TemporaryDirectory()
            try await withLoops(2) { loops in
                let server = try EchoServer(directory.socket(), on: loops[0])
                let caller = Caller()
                let connection = try await caller.connect(directory.socket(), on: loops[1])
                let isDirect = await onThread {
                    (1...200).filter { number in
                        let isAnswered = { caller.arrivals.all.contains { $0.number == number } }
                        _ = connection.exchange {
                            _ = connection.send(Caller.frame(number))
                        } isAnswered: {
                            isAnswered()
                        }
                        return isAnswered() && caller.arrivals.all.last?.thread == pthread_self()
                    }.count
                }
                #expect(try await caller.arrivals.wait(for: 200).map(\.number) == Array(1...200))
                // A machine that is busy answers some of them too late.
                #expect(isDirect > 0)
                // Nobody waits now.
                _ = server.connections.all[0].send(Caller.frame(201))
                let last = try await caller.arrivals.wait(for: 201)[200]
                #expect(last.number == 201)
                let loopThread = Record<UInt>()
                loops[1].execute { loopThread.append(pthread_self()) }
                #expect(try await loopThread.wait(for: 1) == [last.thread])
            }
        }

        @Test func `an answer that does not come in time comes by the loop`() async throws {
            let directory = try TemporaryDirectory()
            try await withLoops(2) { loops in
                let listener = try Listener.bind(path: directory.socket())
                let held = Record<Connection>()
                try listener.accept(on: loops[0], hello: { Hello(role: 1) }) { _ in
                    ConnectionHandler(received: { connection, _, _ in held.append(connection) })
                }
                let caller = Caller()
                let connection = try await caller.connect(directory.socket(), on: loops[1])
                let waited = await onThread {
                    connection.exchange {
                        _ = connection.send(Caller.frame(1))
                    } isAnswered: {
                        caller.arrivals.count > 0
                    }
                }
                #expect(waited != nil)
                #expect(caller.arrivals.count == 0)
                _ = try await held.wait(for: 1)[0].send(Caller.frame(1))
                #expect(try await caller.arrivals.wait(for: 1).map(\.number) == [1])
                #expect(caller.closed.count == 0)
            }
        }

        @Test(arguments: [false, true])
        func `an end during a wait ends the wait, and is told once`(byPeer: Bool) async throws {
            let directory = try TemporaryDirectory()
            for _ in 0..<20 {
                try await withLoops(2) { loops in
                    let listener = try Listener.bind(path: directory.socket())
                    try listener.accept(on: loops[0], hello: { Hello(role: 1) }) { _ in
                        ConnectionHandler(received: { connection, _, _ in if byPeer { connection.close() } })
                    }
                    let caller = Caller()
                    let connection = try await caller.connect(directory.socket(), on: loops[1])
                    let closer = Task { if !byPeer { connection.close() } }
                    _ = await onThread {
                        connection.exchange {
                            _ = connection.send(Caller.frame(1))
                        } isAnswered: {
                            false
                        }
                    }
                    await closer.value
                    #expect(try await caller.closed.wait(for: 1).count == 1)
                    #expect(
                        await onThread {
                            connection.exchange {
                            } isAnswered: {
                                false
                            }
                        } == nil
                    )
                    #expect(caller.closed.count == 1)
                }
                unlink(directory.socket())
            }
        }

        @Test func `each of many frames of waiting and other threads comes back once, large ones too`() async throws {
            let directory = try TemporaryDirectory()
            try await withLoops(2) { loops in
                _ = try EchoServer(directory.socket(), on: loops[0])
                let caller = Caller()
                let connection = try await caller.connect(directory.socket(), on: loops[1])
                await withTaskGroup(of: Void.self) { group in
                    for sender in 0..<4 {
                        group.addTask {
                            await onThread {
                                for index in 0..<300 {
                                    let number = sender * 1000 + index
                                    // Some are larger than a read, and some travel as shared memory.
                                    let bytes = index % 50 == 0 ? 2 << 20 : index % 10 == 0 ? 100_000 : 8
                                    let send = { _ = connection.send(Caller.frame(number, bytes: bytes)) }
                                    if sender == 3 {
                                        send()
                                    } else {
                                        _ = connection.exchange(send) {
                                            caller.arrivals.all.contains { $0.number == number }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
                let numbers = try await caller.arrivals.wait(for: 1200).map(\.number)
                for sender in 0..<4 {
                    #expect(numbers.filter { $0 / 1000 == sender } == (0..<300).map { sender * 1000 + $0 })
                }
                #expect(numbers.count == 1200)
                #expect(caller.closed.count == 0)
            }
        }
    }
}
