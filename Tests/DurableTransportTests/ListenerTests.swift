import Foundation
import Synchronization
import Testing

@testable import DurableTransport

extension TransportTests {
    @Suite struct ListenerTests {
        @Test func `a path that is too long is refused with its length and the limit`() throws {
            let directory = try TemporaryDirectory()
            let path = directory.path + "/" + String(repeating: "x", count: 107 - directory.path.utf8.count)
            let error = #expect(throws: TransportError.self) { try Listener.bind(path: path) }
            #expect(error?.code == .addressTooLong)
            for part in [path, "108", "107", "choose a shorter directory"] {
                #expect(error?.message.contains(part) == true, "\(part) is missing in: \(error?.message ?? "")")
            }
            _ = try Listener.bind(path: String(path.dropLast()))
        }

        @Test func `connecting to a path that is too long, missing or deserted fails with its code`() async throws {
            let directory = try TemporaryDirectory()
            try Listener.bind(path: directory.socket("deserted")).close()
            let cases: [(String, TransportError.Code)] = [
                (directory.socket(String(repeating: "y", count: 120)), .addressTooLong),
                (directory.socket("missing"), .notFound),
                (directory.socket("deserted"), .refused),
                (directory.socket("s\0s"), .system),
            ]
            try await withLoops(1) { loops in
                for (path, code) in cases {
                    let peer = Peer()
                    _ = peer.connect(path, on: loops[0])
                    let errors = try await peer.closed.wait(for: 1)
                    #expect(errors.map { $0?.code } == [code])
                    #expect(peer.opened.count == 0)
                }
            }
        }

        @Test func `a socket file has exactly the mode that was asked for, whatever the umask`() throws {
            let directory = try TemporaryDirectory()
            let listener = try Listener.bind(path: directory.socket())
            let open = try Listener.bind(path: directory.socket("open"), mode: 0o666)
            for (name, mode) in [("s", 0o600), ("open", 0o666)] {
                let attributes = try FileManager.default.attributesOfItem(atPath: directory.socket(name))
                #expect(attributes[.posixPermissions] as? Int == mode)
            }
            #expect(fcntl(listener.descriptor, F_GETFD) & FD_CLOEXEC != 0)
            #expect(fcntl(open.descriptor, F_GETFL) & O_NONBLOCK != 0)
        }

        @Test func `a stale socket file is replaced, a live one or another file never`() async throws {
            let directory = try TemporaryDirectory()
            try Listener.bind(path: directory.socket()).close()
            #expect(throws: TransportError.self) { try Listener.bind(path: directory.socket()) }
            let listener = try Listener.bind(path: directory.socket(), replacing: true)
            let live = #expect(throws: TransportError.self) {
                try Listener.bind(path: directory.socket(), replacing: true)
            }
            #expect(live?.code == .addressInUse)
            listener.close()
            try "kept".write(toFile: directory.socket("file"), atomically: true, encoding: .utf8)
            let file = #expect(throws: TransportError.self) {
                try Listener.bind(path: directory.socket("file"), replacing: true)
            }
            #expect(file?.code == .addressInUse)
            #expect(try String(contentsOfFile: directory.socket("file"), encoding: .utf8) == "kept")
        }

        @Test func `callers wait in the backlog until somebody accepts`() async throws {
            let directory = try TemporaryDirectory()
            let listener = try Listener.bind(path: directory.socket())
            try await withLoops(2) { loops in
                let peer = Peer()
                let connection = peer.connect(directory.socket(), on: loops[1])
                #expect(connection.send(Frame(kind: 2, payload: [2])))
                try await eventually("it is connected") { connection.peer.pid == getpid() }
                #expect(peer.opened.count == 0)
                try serve(listener, on: loops[0])
                let frames1 = try await peer.frames.wait(for: 1)
                #expect(frames1 == [Frame(kind: 2, payload: [2])])
            }
        }

        @Test func `callers that find the backlog full try again until it is not`() async throws {
            let directory = try TemporaryDirectory()
            let listener = try Listener.bind(path: directory.socket(), backlog: 1)
            try await withLoops(2) { loops in
                let peers = (0..<20).map { _ in Peer() }
                let connections = peers.map { $0.connect(directory.socket(), on: loops[1]) }
                for connection in connections { #expect(connection.send(Frame(kind: 1))) }
                connections[19].close()
                let endings2 = try await peers[19].closed.wait(for: 1)
                #expect(endings2 == [nil])
                #expect(connections.filter { $0.peer.pid == getpid() }.count <= 3)
                try serve(listener, on: loops[0])
                for peer in peers.dropLast() { _ = try await peer.frames.wait(for: 1) }
            }
        }

        @Test func `a listening socket that is handed over keeps serving its path without losing a caller`()
            async throws
        {
            let directory = try TemporaryDirectory()
            let listener = try Listener.bind(path: directory.socket())
            try await withLoops(3) { loops in
                try serve(listener, on: loops[0])
                try await expectService(directory.socket(), on: loops[2])
                var ends: [Int32] = [-1, -1]
                #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
                let giver = Peer()
                let taker = Peer()
                let giving = Connection.adopt(fd: ends[0], on: loops[0], hello: Hello(role: 1), handler: giver.handler)
                _ = Connection.adopt(fd: ends[1], on: loops[1], hello: Hello(role: 2), handler: taker.handler)
                #expect(giving.send(Frame(kind: 1), descriptors: [listener.descriptor]))
                let passed = try await taker.descriptors.wait(for: 1)[0]
                listener.close()
                let peer = Peer()
                let waiting = peer.connect(directory.socket(), on: loops[2])
                #expect(waiting.send(Frame(kind: 3)))
                try await eventually("it waits in the backlog") { waiting.peer.pid == getpid() }
                let heir = Listener(adopting: passed.take())
                try serve(heir, on: loops[1])
                let frames3 = try await peer.frames.wait(for: 1)
                #expect(frames3 == [Frame(kind: 3)])
                try await expectService(directory.socket(), on: loops[2])
                heir.stopAccepting()
                try serve(heir, on: loops[0])
                try await expectService(directory.socket(), on: loops[2])
                heir.close()
                #expect(heir.descriptor == -1)
            }
        }

        @Test func `a caller that is not wanted is closed`() async throws {
            let directory = try TemporaryDirectory()
            let listener = try Listener.bind(path: directory.socket())
            try await withLoops(2) { loops in
                try listener.accept(on: loops[0], hello: { Hello(role: 1) }) { _ in nil }
                let peer = Peer()
                _ = peer.connect(directory.socket(), on: loops[1])
                let endings4 = try await peer.closed.wait(for: 1)
                #expect(endings4 == [nil])
            }
        }

        @Test func `a thousand connections leave no descriptor behind`() async throws {
            let directory = try TemporaryDirectory()
            try await withLoops(2) { loops in
                let server = try EchoServer(directory.socket(), on: loops[0])
                let before = openDescriptors()
                for _ in 0..<10 {
                    let peers = (0..<100).map { _ in Peer() }
                    let connections = peers.map { $0.connect(directory.socket(), on: loops[1]) }
                    for (peer, connection) in zip(peers, connections) {
                        _ = try await peer.opened.wait(for: 1)
                        connection.close()
                    }
                    for peer in peers { _ = try await peer.closed.wait(for: 1) }
                }
                _ = try await server.closed.wait(for: 1000)
                try await eventually("descriptors are back", seen: { "\(before) then \(openDescriptors())" }) {
                    openDescriptors() <= before + 50
                }
            }
        }

        @Test func `a connection that ended is freed with all that its handler holds`() async throws {
            let directory = try TemporaryDirectory()
            try await withLoops(2) { loops in
                _ = try EchoServer(directory.socket(), on: loops[0])
                weak var weakPeer: Peer?
                weak var weakConnection: Connection?
                do {
                    let peer = Peer()
                    let connection = Connection.connect(
                        path: directory.socket(),
                        on: loops[1],
                        hello: Hello(role: 2),
                        handler: ConnectionHandler(
                            received: { _, _, _ in _ = peer },
                            closed: { peer.closed.append($1) }
                        )
                    )
                    weakPeer = peer
                    weakConnection = connection
                    connection.close()
                    _ = try await peer.closed.wait(for: 1)
                }
                try await eventually("both are freed") { weakPeer == nil && weakConnection == nil }
            }
        }

        private func serve(_ listener: Listener, on loop: EventLoop) throws {
            try listener.accept(on: loop, hello: { Hello(role: 1) }) { _ in
                ConnectionHandler(received: { connection, frame, _ in _ = connection.send(frame) })
            }
        }
    }
}
