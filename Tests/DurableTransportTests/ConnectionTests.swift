import DurableChaos
import Foundation
import Synchronization
import Testing

@testable import DurableTransport

extension TransportTests {
    @Suite struct ConnectionTests {
        @Test func `both sides learn the other's greeting, user and process`() async throws {
            let directory = try TemporaryDirectory()
            try await withLoops(2) { loops in
                let server = try EchoServer(directory.socket(), on: loops[0])
                let peer = Peer()
                let connection = peer.connect(directory.socket(), on: loops[1])
                _ = try await peer.opened.wait(for: 1)
                _ = try await server.connections.wait(for: 1)
                #expect(connection.peerHello == Hello(role: 1, info: [7, 7]))
                #expect(server.connections.all.first?.peerHello == Hello(role: 2, info: [9]))
                for side in [connection] + server.connections.all {
                    #expect(side.peer == PeerCredentials(pid: getpid(), uid: geteuid(), gid: getegid()))
                }
                #expect(Set([connection.id] + server.connections.all.map(\.id)).count == 2)
            }
        }

        @Test func `frames of nothing to a mebibyte and one of 32 MiB come back unchanged and in order`() async throws {
            let directory = try TemporaryDirectory()
            let seed = testSeed()
            var random = SeededGenerator(seed: seed)
            var sizes = [0, 1, 2, 4, 5, 6, 16_383, 16_384, 16_385, 131_072, 262_139, 262_144, 1 << 20]
            sizes += (0..<20).map { _ in Int.random(in: 0...(1 << 20), using: &random) }
            let block = random.bytes(4096)
            let sent = (sizes + [32 << 20, 3]).enumerated().map { index, size in
                var payload: [UInt8] = []
                payload.reserveCapacity(size + block.count)
                while payload.count < size { payload += block }
                payload.removeLast(payload.count - size)
                if size > 0 { payload[size - 1] = UInt8(index) }
                return Frame(kind: UInt8(index + 1), payload: payload)
            }
            try await withLoops(2) { loops in
                _ = try EchoServer(directory.socket(), on: loops[0])
                let peer = Peer()
                let connection = peer.connect(directory.socket(), on: loops[1])
                for frame in sent { #expect(connection.send(frame)) }
                let received = try await peer.frames.wait(for: sent.count)
                #expect(received.map(\.kind) == sent.map(\.kind), "seed \(seed)")
                #expect(received == sent, "seed \(seed)")
            }
        }

        @Test(arguments: [false, true])
        func `a thousand small frames in flight both ways do not stand still`(fromLoop: Bool) async throws {
            let directory = try TemporaryDirectory()
            try await withLoops(2) { loops in
                _ = try EchoServer(directory.socket(), on: loops[0])
                let peer = Peer()
                let connection = peer.connect(directory.socket(), on: loops[1])
                _ = try await peer.opened.wait(for: 1)
                let send: @Sendable () -> Void = {
                    for number in 0..<5000 {
                        let payload = [UInt8(number & 255), UInt8(number >> 8)] + [UInt8](repeating: 1, count: 98)
                        #expect(connection.send(Frame(kind: 1, payload: payload)))
                    }
                }
                if fromLoop { loops[1].execute(send) } else { send() }
                let received = try await peer.frames.wait(for: 5000)
                #expect(received.map { Int($0.payload[0]) | Int($0.payload[1]) << 8 } == Array(0..<5000))
            }
        }

        @Test func `frames of several threads stay whole and each thread's frames stay in order`() async throws {
            let directory = try TemporaryDirectory()
            try await withLoops(2) { loops in
                _ = try EchoServer(directory.socket(), on: loops[0])
                let peer = Peer()
                let connection = peer.connect(directory.socket(), on: loops[1])
                await withTaskGroup(of: Void.self) { group in
                    for sender in 1...4 {
                        group.addTask {
                            for number in 0..<1000 {
                                let payload = Array("\(number)".utf8)
                                #expect(connection.send(Frame(kind: UInt8(sender), payload: payload)))
                            }
                        }
                    }
                }
                let received = try await peer.frames.wait(for: 4000)
                for sender in 1...4 {
                    let numbers = received.filter { $0.kind == sender }.map {
                        String(decoding: $0.payload, as: UTF8.self)
                    }
                    #expect(numbers == (0..<1000).map { "\($0)" })
                }
            }
        }

        @Test func `both ends of an adopted pair greet each other and talk`() async throws {
            try await withLoops(2) { loops in
                var ends: [Int32] = [-1, -1]
                #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
                let left = Peer()
                let right = Peer()
                let first = Connection.adopt(fd: ends[0], on: loops[0], hello: Hello(role: 1), handler: left.handler)
                #expect(first.send(Frame(kind: 3, payload: [1])))
                let second = Connection.adopt(fd: ends[1], on: loops[1], hello: Hello(role: 2), handler: right.handler)
                let frames1 = try await right.frames.wait(for: 1)
                #expect(frames1 == [Frame(kind: 3, payload: [1])])
                #expect(first.peerHello?.role == 2)
                #expect(second.peerHello?.role == 1)
                second.close()
                let endings2 = try await left.closed.wait(for: 1)
                #expect(endings2 == [nil])
                let endings3 = try await right.closed.wait(for: 1)
                #expect(endings3 == [nil])
                #expect(!first.send(Frame(kind: 3)))
                #expect(!second.send(Frame(kind: 3)))
            }
        }

        @Test func `closing after a flush delivers everything that was sent before`() async throws {
            let directory = try TemporaryDirectory()
            try await withLoops(2) { loops in
                let listener = try Listener.bind(path: directory.socket())
                try listener.accept(on: loops[0], hello: { Hello(role: 1) }) { _ in
                    ConnectionHandler(
                        opened: { connection in
                            for size in [10, 8 << 20, 10] {
                                #expect(connection.send(Frame(kind: 4, payload: [UInt8](repeating: 4, count: size))))
                            }
                            connection.closeAfterFlush()
                            #expect(!connection.send(Frame(kind: 4)))
                        },
                        received: { _, _, _ in }
                    )
                }
                let peer = Peer()
                _ = peer.connect(directory.socket(), on: loops[1])
                let endings4 = try await peer.closed.wait(for: 1)
                #expect(endings4 == [nil])
                #expect(peer.frames.all.map(\.payload.count) == [10, 8 << 20, 10])
            }
        }

        @Test func `frames sent before the connection opened are delivered even if it is told to close after them`()
            async throws
        {
            let directory = try TemporaryDirectory()
            try await withLoops(2) { loops in
                let server = try EchoServer(directory.socket(), on: loops[0], keepsFrames: true)
                let peer = Peer()
                let connection = peer.connect(directory.socket(), on: loops[1])
                #expect(connection.send(Frame(kind: 6, payload: [6])))
                connection.closeAfterFlush()
                _ = try await peer.closed.wait(for: 1)
                let frames5 = try await server.frames.wait(for: 1)
                #expect(frames5 == [Frame(kind: 6, payload: [6])])
            }
        }

        @Test func `a peer that does not read fills the bound of the send buffer and not more`() async throws {
            let directory = try TemporaryDirectory()
            var limits = FrameLimits()
            limits.sendBufferBytesMax = 1 << 20
            limits.flushTimeout = .milliseconds(50)
            try await withLoops(1) { loops in
                let server = try EchoServer(directory.socket(), on: loops[0], limits: limits)
                let client = try RawClient(directory.socket())
                client.write(helloBytes())
                let connection = try await server.connections.wait(for: 1)[0]
                var taken = 0
                while taken < 100, connection.send(Frame(kind: 1, payload: [UInt8](repeating: 0, count: 100_000))) {
                    taken += 1
                }
                #expect((10...20).contains(taken), "took \(taken)")
                let turns = Counter()
                loops[0].setBatchEnd { turns.add() }
                connection.closeAfterFlush()
                client.write(wire(2) + wire(2))
                let error = try await server.closed.wait(for: 1)[0]
                #expect(turns.value < 50, "input that nobody takes any more keeps the loop turning")
                #expect(error?.code == .closed)
            }
        }

        @Test func `nothing is delivered after close, and closed is called once and last`() async throws {
            let directory = try TemporaryDirectory()
            try await withLoops(2) { loops in
                let events = Record<String>()
                let listener = try Listener.bind(path: directory.socket())
                try listener.accept(on: loops[0], hello: { Hello(role: 1) }) { _ in
                    ConnectionHandler(
                        opened: { _ in events.append("opened") },
                        received: { connection, _, _ in
                            events.append("received")
                            connection.fail(TransportError(.protocolViolation, "kind 9 is unknown"))
                            connection.close()
                        },
                        closed: { events.append("closed \($1?.message ?? "")") }
                    )
                }
                let client = try RawClient(directory.socket())
                client.write(helloBytes() + wire(9) + wire(9) + wire(9))
                #expect(client.readToEnd() != nil)
                try await expectNoService(directory.socket(), on: loops[1])
                #expect(events.all.prefix(3) == ["opened", "received", "closed kind 9 is unknown"])
                try await eventually("both have ended", seen: { "\(events.all)" }) {
                    events.all.filter { $0.hasPrefix("closed") }.count == 2
                }
                #expect(events.all.count == 6)
            }
        }

        /// Another connection comes and goes, so that what could still happen to the first has happened.
        private func expectNoService(_ path: String, on loop: EventLoop) async throws {
            let peer = Peer()
            let connection = peer.connect(path, on: loop)
            #expect(connection.send(Frame(kind: 9)))
            _ = try await peer.closed.wait(for: 1)
            #expect(peer.frames.count == 0)
        }

        @Test func `what the peer sent before it went is delivered although writing fails`() async throws {
            let directory = try TemporaryDirectory()
            try await withLoops(1) { loops in
                let received = Record<UInt8>()
                let closed = Record<TransportError?>()
                let connections = Record<Connection>()
                let gate = DispatchSemaphore(value: 0)
                let listener = try Listener.bind(path: directory.socket())
                try listener.accept(on: loops[0], hello: { Hello(role: 1) }) { connection in
                    connections.append(connection)
                    return ConnectionHandler(
                        received: { _, frame, _ in received.append(frame.kind) },
                        closed: { closed.append($1) }
                    )
                }
                let client = try RawClient(directory.socket())
                client.write(helloBytes())
                let connection = try await connections.wait(for: 1)[0]
                // The loop is busy while the peer sends its last words and leaves, so writing fails before reading.
                loops[0].execute {
                    gate.wait()
                    #expect(connection.send(Frame(kind: 1)))
                }
                client.write(wire(41) + wire(42))
                client.close()
                gate.signal()
                _ = try await closed.wait(for: 1)
                #expect(received.all == [41, 42])
            }
        }

        @Test func `frames that can never be sent are refused without hurting the connection`() async throws {
            let directory = try TemporaryDirectory()
            var limits = FrameLimits()
            limits.frameBytesMax = 100
            try await withLoops(1) { loops in
                _ = try EchoServer(directory.socket(), on: loops[0], limits: limits)
                let peer = Peer()
                let connection = peer.connect(directory.socket(), on: loops[0], limits: limits)
                #expect(!connection.send(Frame(kind: 1, payload: [UInt8](repeating: 0, count: 100))))
                #expect(!connection.send(Frame(kind: 0, payload: [])))
                #expect(!connection.send(Frame(kind: 1), descriptors: [-1]))
                #expect(!connection.send(Frame(kind: 1), descriptors: [0, 0, 0, 0, 0]))
                #expect(connection.send(Frame(kind: 1, payload: [UInt8](repeating: 0, count: 99))))
                let frames6 = try await peer.frames.wait(for: 1)[0].payload.count
                #expect(frames6 == 99)
            }
        }

        @Test func `a connection on a loop that has ended hears that it is closed`() async throws {
            let loop = try EventLoop(name: "ended")
            loop.start()
            let directory = try TemporaryDirectory()
            _ = try EchoServer(directory.socket(), on: loop)
            let peer = Peer()
            _ = peer.connect(directory.socket(), on: loop)
            _ = try await peer.opened.wait(for: 1)
            loop.stop()
            loop.join()
            #expect(peer.closed.all.map { $0?.code } == [.closed])
            let late = Peer()
            #expect(!late.connect(directory.socket(), on: loop).send(Frame(kind: 1)))
            #expect(late.closed.all.map { $0?.code } == [.closed])
        }
    }
}
