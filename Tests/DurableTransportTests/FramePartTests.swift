import DurableChaos
import Glibc
import Testing

@testable import DurableTransport

extension TransportTests {
    @Suite struct FramePartTests {
        @Test func `parts come out the same however their bytes are split`() throws {
            let seed = testSeed()
            var random = SeededGenerator(seed: seed)
            for _ in 0..<100 {
                let sent = (0..<Int.random(in: 1...4, using: &random)).map { _ in
                    Frame(
                        kind: Bool.random(using: &random) ? Frame.partKind : 7,
                        payload: random.bytes(Int.random(in: 1...40_000, using: &random))
                    )
                }
                let stream = sent.flatMap { wire($0.kind, $0.payload) }
                var reader = FrameReader(frameBytesMax: 1 << 20)
                reader.partBytesMax = 1 << 20
                var received: [Frame] = []
                var place = 0
                while place < stream.count {
                    // As a connection does: to where it stays, if the reader wants that.
                    let most = min(Int.random(in: 1...20_000, using: &random), stream.count - place)
                    let direct = reader.readPart { target in
                        let count = min(most, target.count)
                        target.copyBytes(from: stream[place..<(place + count)])
                        return Int64(count)
                    }
                    let count = direct.map { Int($0) } ?? most
                    try stream[place..<(place + (direct == nil ? count : 0))].withUnsafeBytes { bytes in
                        var offset = 0
                        while let frame = try reader.next(in: bytes, offset: &offset) { received.append(frame) }
                    }
                    place += count
                }
                #expect(received == sent, "seed \(seed)")
                #expect(!reader.isInsideFrame, "seed \(seed)")
            }
        }

        @Test func `a part may be larger than a frame, but not than its limit`() throws {
            var reader = FrameReader(frameBytesMax: 100)
            reader.partBytesMax = 201
            func next(_ bytes: [UInt8]) throws -> Frame? {
                try bytes.withUnsafeBytes { bytes in
                    var offset = 0
                    return try reader.next(in: bytes, offset: &offset)
                }
            }
            #expect(try next(wire(Frame.partKind, [UInt8](repeating: 1, count: 200)))?.payload.count == 200)
            #expect(throws: TransportError.self) { try next(wire(5, [UInt8](repeating: 1, count: 200))) }
            var other = FrameReader(frameBytesMax: 100)
            other.partBytesMax = 201
            swap(&reader, &other)
            #expect(throws: TransportError.self) { try next(wire(Frame.partKind, [UInt8](repeating: 1, count: 201))) }
        }

        @Test func `frames with parts arrive in order, with all that belongs to them`() async throws {
            let directory = try TemporaryDirectory()
            let before = openDescriptors()
            try await withLoops(2) { loops in
                let peer = Peer()
                let server = try Listener.bind(path: directory.socket())
                try server.accept(on: loops[0], hello: { Hello(role: 1) }) { _ in
                    ConnectionHandler(received: { connection, frame, _ in #expect(connection.send(frame)) })
                }
                let connection = peer.connect(directory.socket(), on: loops[1])
                let segment = try SharedSegment(copying: [UInt8](repeating: 9, count: 70_000))
                var sent: [Frame] = []
                for round in 0..<30 {
                    let bytes = (0..<(round * 50_000 + 1)).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ round) }
                    var parts = [FramePart.array(bytes)]
                    if round % 3 == 1 { parts.append(.segment(segment)) }
                    if round % 4 == 1 { parts.insert(.segment(segment), at: 0) }
                    if round % 5 == 1 { parts += [.array([1]), .array(bytes)] }
                    // Now and then one that is too large for the socket as well.
                    let payload = [UInt8](repeating: UInt8(round), count: round % 9 == 1 ? 2 << 20 : 1)
                    sent.append(Frame(kind: 5, payload: payload, parts: round % 7 == 3 ? [] : parts))
                    #expect(connection.send(try #require(sent.last)))
                }
                let received = try await peer.frames.wait(for: sent.count)
                for (received, sent) in zip(received, sent) {
                    #expect(received.kind == sent.kind && received.payload == sent.payload)
                    #expect(try received.parts.map { try $0.array() } == sent.parts.map { try $0.array() })
                }
                connection.close()
                server.close()
            }
            try await eventually("all descriptors are closed") { openDescriptors() <= before }
        }

        @Test func `parts that cannot be sent are refused, and the connection goes on`() async throws {
            let directory = try TemporaryDirectory()
            try await withLoops(2) { loops in
                let server = try EchoServer(directory.socket(), on: loops[0], keepsFrames: true)
                let peer = Peer()
                let connection = peer.connect(directory.socket(), on: loops[1])
                let part = FramePart.array([1])
                #expect(!connection.send(Frame(kind: 5, parts: [.array([])])))
                #expect(!connection.send(Frame(kind: 5, parts: [FramePart](repeating: part, count: 225))))
                #expect(!connection.send(Frame(kind: 254, parts: [part])))
                #expect(!connection.send(Frame(kind: 254)))
                #expect(!connection.send(Frame(kind: 5, parts: [part]), descriptors: [0]))
                #expect(!connection.send(contentsOf: [Frame(kind: 5, parts: [part])]))
                #expect(connection.send(Frame(kind: 5, parts: [part])))
                #expect(try await server.frames.wait(for: 1) == [Frame(kind: 5, parts: [part])])
            }
        }

        @Test func `what would fill the buffer of a peer that does not read waits in memory of its own`() async throws {
            let directory = try TemporaryDirectory()
            try await withLoops(1) { loops in
                let listener = try Listener.bind(path: directory.socket())
                let sender = Record<Connection>()
                var limits = FrameLimits()
                limits.sendBufferBytesMax = 4 << 20
                try listener.accept(on: loops[0], hello: { Hello(role: 1) }, limits: limits) { _ in
                    ConnectionHandler(opened: { sender.append($0) }, received: { _, _, _ in })
                }
                let client = try RawClient(directory.socket())
                client.write(helloBytes())
                let connection = try await sender.wait(for: 1)[0]
                // Each alone is more than what may wait.
                for _ in 0..<4 {
                    let large = FramePart.array([UInt8](repeating: 3, count: 5 << 20))
                    #expect(connection.send(Frame(kind: 5, parts: [large])))
                }
                connection.close()
                listener.close()
            }
        }

        @Test(arguments: [[], [1, 2]] as [[UInt8]])
        func `a part of nothing, and a part with a descriptor that is none of shared bytes, end the connection`(
            payload: [UInt8]
        ) async throws {
            try await withLoops(1) { loops in
                var ends: [Int32] = [-1, -1]
                #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
                let peer = Peer()
                _ = Connection.adopt(fd: ends[0], on: loops[0], hello: Hello(role: 1), handler: peer.handler)
                let bytes =
                    helloBytes() + wire(Frame.partKind, payload)
                    + (payload.isEmpty ? [] : wire(Frame.partKind, []))
                #expect(write(ends[1], bytes, bytes.count) == bytes.count)
                let error = try await peer.closed.wait(for: 1)[0]
                #expect(error?.code == .protocolViolation)
                close(ends[1])
            }
        }
    }
}

extension FramePart {
    fileprivate func array() throws -> [UInt8] {
        switch self {
        case .array(let bytes): bytes
        case .segment(let segment): try segment.bytes()
        }
    }
}
