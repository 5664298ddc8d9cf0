import DurableChaos
import Foundation
import Testing

@testable import DurableTransport

extension TransportTests {
    @Suite struct HostilePeerTests {
        struct Attack: Sendable, CustomTestStringConvertible {
            var testDescription: String
            var bytes: [UInt8]
            var code: TransportError.Code
            /// Whether the peer got as far as a connection.
            var isAfterHello = false
        }

        static let attacks: [Attack] = [
            Attack(
                testDescription: "an HTTP request",
                bytes: Array("GET / HTTP/1.1\r\n\r\n".utf8),
                code: .frameTooLarge
            ),
            Attack(
                testDescription: "another kind first",
                bytes: wire(7, Array("DURA".utf8) + [1, 0, 1]),
                code: .protocolViolation
            ),
            Attack(
                testDescription: "wrong magic",
                bytes: wire(0, Array("LAVA".utf8) + [1, 0, 1]),
                code: .protocolViolation
            ),
            Attack(testDescription: "an empty Hello", bytes: wire(0), code: .protocolViolation),
            Attack(
                testDescription: "a Hello without a role",
                bytes: wire(0, Array("DURA".utf8) + [2, 0]),
                code: .protocolViolation
            ),
            Attack(testDescription: "a Hello above its limit", bytes: [0x01, 0x10, 0, 0], code: .frameTooLarge),
            Attack(testDescription: "version 1", bytes: helloBytes(version: 1), code: .versionMismatch),
            Attack(testDescription: "version 65535", bytes: helloBytes(version: 65535), code: .versionMismatch),
            Attack(
                testDescription: "length zero",
                bytes: helloBytes() + [0, 0, 0, 0],
                code: .protocolViolation,
                isAfterHello: true
            ),
            Attack(
                testDescription: "length 4 GiB",
                bytes: helloBytes() + [255, 255, 255, 255, 1],
                code: .frameTooLarge,
                isAfterHello: true
            ),
            Attack(
                testDescription: "a second Hello",
                bytes: helloBytes() + helloBytes(),
                code: .protocolViolation,
                isAfterHello: true
            ),
        ]

        @Test(arguments: attacks)
        func `bytes that are not the protocol end their connection and nothing else`(_ attack: Attack) async throws {
            let directory = try TemporaryDirectory()
            try await withLoops(2) { loops in
                let server = try EchoServer(directory.socket(), on: loops[0])
                let client = try RawClient(directory.socket())
                client.write(attack.bytes)
                let answer = try #require(client.readToEnd(), "the connection stayed open")
                #expect(answer.starts(with: wire(0, Array("DURA".utf8) + [2, 0, 1, 7, 7])))
                let errors =
                    attack.isAfterHello
                    ? try await server.closed.wait(for: 1).compactMap { $0 } : try await server.refused.wait(for: 1)
                #expect(errors.map(\.code) == [attack.code])
                if attack.code == .versionMismatch {
                    #expect(errors[0].message.contains("version 2"))
                    #expect(errors[0].message.contains(attack.bytes.contains(255) ? "version 65535" : "version 1"))
                }
                #expect(server.connections.count == (attack.isAfterHello ? 1 : 0))
                try await expectService(directory.socket(), on: loops[1])
            }
        }

        @Test func `a client of another version learns which one the server speaks`() async throws {
            try await withLoops(1) { loops in
                var ends: [Int32] = [-1, -1]
                #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
                let peer = Peer()
                _ = Connection.adopt(fd: ends[0], on: loops[0], hello: Hello(role: 1), handler: peer.handler)
                let bytes = helloBytes(version: 9)
                #expect(write(ends[1], bytes, bytes.count) == bytes.count)
                let error = try await peer.closed.wait(for: 1)[0]
                #expect(error?.code == .versionMismatch)
                #expect(error?.message.contains("version 9") == true)
                #expect(peer.opened.count == 0)
                close(ends[1])
            }
        }

        @Test(arguments: [1, 3, 4, 5, 6, 500])
        func `a peer that leaves inside a frame is an error and its half frame is not delivered`(cut: Int) async throws
        {
            let directory = try TemporaryDirectory()
            try await withLoops(2) { loops in
                let server = try EchoServer(directory.socket(), on: loops[0], keepsFrames: true)
                let client = try RawClient(directory.socket())
                let torn = wire(8, [UInt8](repeating: 8, count: 1000))
                client.write(helloBytes() + wire(5, [5]) + torn[..<cut])
                #expect(client.read(12 + 2) != nil)
                client.close()
                let error = try await server.closed.wait(for: 1)[0]
                #expect(error?.code == .closed)
                #expect(server.frames.all == [Frame(kind: 5, payload: [5])])
                try await expectService(directory.socket(), on: loops[1])
            }
        }

        @Test func `a peer that leaves between frames is a clean end`() async throws {
            let directory = try TemporaryDirectory()
            try await withLoops(1) { loops in
                let server = try EchoServer(directory.socket(), on: loops[0])
                let client = try RawClient(directory.socket())
                client.write(helloBytes())
                #expect(client.read(14) != nil)
                client.close()
                let endings1 = try await server.closed.wait(for: 1)
                #expect(endings1 == [nil])
            }
        }

        @Test(arguments: [0, 1, 5, 11])
        func `a peer that is slow with its Hello is dropped`(sent: Int) async throws {
            let directory = try TemporaryDirectory()
            var limits = FrameLimits()
            limits.handshakeTimeout = .milliseconds(60)
            try await withLoops(2) { loops in
                let server = try EchoServer(directory.socket(), on: loops[0], limits: limits)
                // Before the server can know of the client: from later on, it may already have waited for a while.
                let begin = ContinuousClock.now
                let client = try RawClient(directory.socket())
                client.write(Array(helloBytes().prefix(sent)))
                #expect(client.readToEnd() != nil)
                #expect(ContinuousClock.now - begin >= limits.handshakeTimeout, "it was dropped before its time")
                let value2 = try await server.refused.wait(for: 1).map(\.code)
                #expect(value2 == [.protocolViolation])
                try await expectService(directory.socket(), on: loops[1])
            }
        }

        @Test func `unknown kinds are passed up`() async throws {
            let directory = try TemporaryDirectory()
            try await withLoops(1) { loops in
                let server = try EchoServer(directory.socket(), on: loops[0], keepsFrames: true)
                let client = try RawClient(directory.socket())
                client.write(helloBytes() + (1...253).flatMap { wire(UInt8($0)) })
                let frames3 = try await server.frames.wait(for: 253).map(\.kind)
                #expect(frames3 == Array(1...253))
            }
        }

        @Test(arguments: [[], [5], [0], [255], [5, 5]] as [[UInt8]])
        func `a note about shared bytes that come with no memory ends the connection`(payload: [UInt8]) async throws {
            let directory = try TemporaryDirectory()
            try await withLoops(1) { loops in
                let server = try EchoServer(directory.socket(), on: loops[0], keepsFrames: true)
                let client = try RawClient(directory.socket())
                client.write(helloBytes() + wire(Frame.segmentKind, payload))
                try await eventually("the connection has ended") { server.closed.count == 1 }
                #expect(server.closed.all.first??.code == .protocolViolation)
                #expect(server.frames.count == 0)
            }
        }

        @Test func `memory that somebody can still change is not taken for shared bytes`() throws {
            let directory = try TemporaryDirectory()
            let descriptor = open(directory.socket(), O_RDWR | O_CREAT, 0o600)
            #expect(ftruncate(descriptor, 4096) == 0)
            #expect(throws: TransportError.self) {
                try SharedSegment(adopting: OwnedDescriptor(descriptor), limit: 1 << 20)
            }
            let whole = try SharedSegment(copying: Array(repeating: 7, count: 5000))
            let copy = OwnedDescriptor(dup(whole.descriptor))
            #expect(throws: TransportError.self) { try SharedSegment(adopting: copy, limit: 4999) }
            #expect(try SharedSegment(adopting: copy, limit: 5000).bytes() == Array(repeating: 7, count: 5000))
            #expect(write(whole.descriptor, "x", 1) < 0 && ftruncate(whole.descriptor, 1) < 0)
        }

        @Test func `random bytes never stop a listener from serving a good client`() async throws {
            let directory = try TemporaryDirectory()
            let seed = testSeed()
            var random = SeededGenerator(seed: seed)
            var limits = FrameLimits()
            limits.handshakeTimeout = .milliseconds(500)
            limits.frameBytesMax = 1 << 20
            try await withLoops(2) { loops in
                let server = try EchoServer(directory.socket(), on: loops[0], limits: limits)
                var clients: [RawClient] = []
                for round in 0..<400 {
                    let client = try RawClient(directory.socket())
                    var bytes: [UInt8] = []
                    if Bool.random(using: &random) { bytes += helloBytes() }
                    for _ in 0..<Int.random(in: 0...6, using: &random) {
                        var frame = wire(
                            UInt8.random(in: 0...255, using: &random),
                            random.bytes(Int.random(in: 0...64, using: &random))
                        )
                        if Bool.random(using: &random) {
                            frame[Int.random(in: 0..<frame.count, using: &random)] = UInt8.random(
                                in: 0...255,
                                using: &random
                            )
                        }
                        bytes += frame
                    }
                    if round % 5 == 0 { bytes = random.bytes(Int.random(in: 1...2000, using: &random)) }
                    client.write(bytes)
                    if Bool.random(using: &random) { clients.append(client) }
                    if clients.count > 40 { clients.removeAll() }
                    if round % 50 == 0 { try await expectService(directory.socket(), on: loops[1]) }
                }
                clients.removeAll()
                try await expectService(directory.socket(), on: loops[1])
                try await eventually("every connection has ended, seed \(seed)") {
                    server.closed.count == server.connections.count
                }
            }
        }
    }
}
