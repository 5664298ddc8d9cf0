import DurableChaos
import Foundation
import Synchronization
import Testing

@testable import DurableTransport

extension TransportTests {
    @Suite struct StormTests {
        /// Many connections open and close at once while other threads still write to them, so descriptor numbers are
        /// reused all the time. Checked: a frame only ever arrives at the connection that it was sent on.
        @Test func `no byte crosses from one connection to another when descriptor numbers are reused`() async throws {
            let seed = testSeed()
            let directory = try TemporaryDirectory()
            try await withLoops(3) { loops in
                let strays = Record<String>()
                let listener = try Listener.bind(path: directory.socket())
                try listener.accept(on: loops[0], hello: { Hello(role: 1) }) { connection in
                    let tag = connection.peerHello?.info ?? []
                    return ConnectionHandler(received: { connection, frame, _ in
                        if !frame.payload.starts(with: tag) { strays.append("server \(tag) got \(frame.payload)") }
                        _ = connection.send(frame)
                    })
                }
                let echoes = Counter()
                await withTaskGroup(of: Void.self) { group in
                    for worker in 0..<4 {
                        group.addTask {
                            var random = SeededGenerator(seed: seed &+ UInt64(worker))
                            for round in 0..<250 {
                                await storm(
                                    tag: [UInt8(worker), UInt8(round)],
                                    path: directory.socket(),
                                    loop: loops[1 + worker % 2],
                                    random: &random,
                                    onEcho: { echoes.add() },
                                    onStray: { strays.append($0) }
                                )
                            }
                        }
                    }
                }
                #expect(strays.all == [], "seed \(seed)")
                #expect(echoes.value > 1000, "the storm did nothing")
                try await expectAlive(directory.socket(), on: loops[1])
            }
        }

        private func storm(
            tag: [UInt8],
            path: String,
            loop: EventLoop,
            random: inout SeededGenerator,
            onEcho: @escaping @Sendable () -> Void,
            onStray: @escaping @Sendable (String) -> Void
        ) async {
            let enough = Int.random(in: 1...20, using: &random)
            let isClosedByLoop = Bool.random(using: &random)
            await withCheckedContinuation { continuation in
                let count = Mutex(0)
                let connection = Connection.connect(
                    path: path,
                    on: loop,
                    hello: Hello(role: 2, info: tag),
                    handler: ConnectionHandler(
                        received: { connection, frame, _ in
                            onEcho()
                            if !frame.payload.starts(with: tag) { onStray("client \(tag) got \(frame.payload)") }
                            let seen = count.withLock { count in
                                count += 1
                                return count
                            }
                            guard seen == enough else { return }
                            if isClosedByLoop {
                                connection.close()
                            } else {
                                DispatchQueue.global().async { connection.close() }
                            }
                        },
                        closed: { _, _ in continuation.resume() }
                    )
                )
                // Goes on writing past the close, into whatever has the descriptor number by then.
                DispatchQueue.global().async {
                    for number in 0..<60 { _ = connection.send(Frame(kind: 1, payload: tag + [UInt8(number)])) }
                }
            }
        }

        private func expectAlive(_ path: String, on loop: EventLoop) async throws {
            let peer = Peer()
            let connection = Connection.connect(path: path, on: loop, hello: Hello(role: 2), handler: peer.handler)
            #expect(connection.send(Frame(kind: 1)))
            _ = try await peer.frames.wait(for: 1)
        }
    }
}
