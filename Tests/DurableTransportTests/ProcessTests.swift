import Foundation
import Synchronization
import Testing

@testable import DurableTransport

extension TransportTests {
    @Suite struct ProcessTests {
        /// Starts a Python program with arguments and returns what it printed and how it ended.
        private func python(_ program: String, _ arguments: [String]) async throws -> (output: String, status: Int32) {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments = ["python3", "-c", program] + arguments
            let pipe = Pipe()
            process.standardOutput = pipe
            process.standardError = pipe
            try process.run()
            let output = await withCheckedContinuation { continuation in
                Thread.detachNewThread {
                    let data = pipe.fileHandleForReading.readDataToEndOfFile()
                    process.waitUntilExit()
                    continuation.resume(returning: String(decoding: data, as: UTF8.self))
                }
            }
            return (output, process.terminationStatus)
        }

        @Test func `another process that knows only the wire format is served`() async throws {
            let directory = try TemporaryDirectory()
            let program = """
                import socket, struct, sys, random, threading
                random.seed(int(sys.argv[2]))
                s = socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect(sys.argv[1])
                def frame(kind, payload): return struct.pack('<IB', len(payload) + 1, kind) + payload
                def read(count):
                    data = b''
                    while len(data) < count:
                        piece = s.recv(count - len(data))
                        assert piece, 'the server left'
                        data += piece
                    return data
                def receive():
                    length, kind = struct.unpack('<IB', read(5))
                    return kind, read(length - 1)
                frames = [(random.randrange(1, 254), random.randbytes(random.choice([0, 1, 100, 70000]))) for _ in range(500)]
                s.sendall(frame(0, b'DURA' + struct.pack('<HB', 2, 9) + b'python'))
                kind, hello = receive()
                assert (kind, hello) == (0, b'DURA\\x02\\x00\\x01\\x07\\x07'), (kind, hello)
                threading.Thread(target=lambda: s.sendall(b''.join(frame(*f) for f in frames)), daemon=True).start()
                for f in frames: assert receive() == f
                print('all frames came back')
                """
            let seed = testSeed()
            try await withLoops(1) { loops in
                let server = try EchoServer(directory.socket(), on: loops[0])
                let result = try await python(program, [directory.socket(), "\(seed)"])
                #expect(result.output == "all frames came back\n", "seed \(seed)")
                let connection = try #require(server.connections.all.first)
                #expect(connection.peerHello == Hello(role: 9, info: Array("python".utf8)))
                #expect(connection.peer.pid != getpid())
            }
        }

        @Test func `a process of another user is closed at once and never becomes a connection`() async throws {
            try #require(geteuid() == 0, "this test needs root: its peer becomes another user")
            let directory = try TemporaryDirectory()
            let program = """
                import socket, os, sys
                os.setgid(65534); os.setuid(65534)
                s = socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect(sys.argv[1])
                try: print('got', s.recv(100))
                except ConnectionResetError: print('got', b'')
                """
            try await withLoops(2) { loops in
                let server = try EchoServer(directory.socket(), on: loops[0])
                chmod(directory.socket(), 0o666)
                let result = try await python(program, [directory.socket()])
                #expect(result.output == "got b''\n")
                let error = try await server.refused.wait(for: 1)[0]
                #expect(error.code == .wrongPeer)
                #expect(error.message.contains("65534"))
                #expect(server.connections.count == 0)
                try await expectService(directory.socket(), on: loops[1])
            }
        }

        @Test func `a server of another user is refused before it hears anything`() async throws {
            try #require(geteuid() == 0, "this test needs root: its peer becomes another user")
            let directory = try TemporaryDirectory()
            chmod(directory.path, 0o777)
            let program = """
                import socket, os, sys
                os.setgid(65534); os.setuid(65534)
                l = socket.socket(socket.AF_UNIX); l.settimeout(20); l.bind(sys.argv[1]); l.listen()
                s, _ = l.accept()
                print('got', s.recv(100))
                """
            try await withLoops(1) { loops in
                async let result = python(program, [directory.socket()])
                let codes = Record<TransportError.Code?>()
                while codes.all.last != .wrongPeer {
                    let peer = Peer()
                    _ = peer.connect(directory.socket(), on: loops[0])
                    codes.append(try await peer.closed.wait(for: 1)[0]?.code)
                    try #require([.notFound, .refused, .wrongPeer].contains(codes.all.last))
                    await Task.yield()
                }
                let value1 = try await result.output
                #expect(value1 == "got b''\n")
            }
        }

        @Test func `a killed peer is noticed at once and its half frame is dropped`() async throws {
            let directory = try TemporaryDirectory()
            let program = """
                import socket, struct, os, sys
                s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
                s.sendall(struct.pack('<IB', 8, 0) + b'DURA' + struct.pack('<HB', 2, 9))
                s.sendall(struct.pack('<IB', 3, 4) + b'ab' + struct.pack('<IB', 1000, 4) + b'torn')
                os.kill(os.getpid(), 9)
                """
            try await withLoops(1) { loops in
                let server = try EchoServer(directory.socket(), on: loops[0], keepsFrames: true)
                _ = try await python(program, [directory.socket()])
                let error = try await server.closed.wait(for: 1)[0]
                #expect(error?.code == .closed)
                #expect(server.frames.all == [Frame(kind: 4, payload: Array("ab".utf8))])
            }
        }

        /// In a process of its own, because it uses up that process's descriptors; there `Task.sleep` may never return.
        @Test func `a listener without free descriptors waits, does not spin, and serves afterwards`() async throws {
            await #expect(processExitsWith: .success) {
                let directory = try TemporaryDirectory()
                let loop = try EventLoop(name: "hungry")
                loop.start()
                let listener = try Listener.bind(path: directory.socket())
                let refusals = DispatchSemaphore(value: 0)
                try listener.accept(
                    on: loop,
                    hello: { Hello(role: 1) },
                    onRefused: { error, _ in
                        precondition(error.errno == EMFILE, "\(error)")
                        refusals.signal()
                    }
                ) { _ in ConnectionHandler(received: { connection, frame, _ in _ = connection.send(frame) }) }
                let client = try RawClient()
                var limit = rlimit(rlim_cur: 64, rlim_max: 64)
                precondition(setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
                var hoard: [Int32] = []
                while case let fd = dup(0), fd >= 0 { hoard.append(fd) }
                let begin = ContinuousClock.now
                try client.connect(directory.socket())
                for _ in 0..<4 { precondition(refusals.wait(timeout: .now() + 10) == .success, "nobody was refused") }
                precondition(ContinuousClock.now - begin > .milliseconds(60), "the loop spins")
                for fd in hoard { close(fd) }
                client.write(helloBytes() + wire(5))
                precondition(client.read(12) != nil && client.read(5) == wire(5), "it does not serve again")
                loop.stop()
                loop.join()
            }
        }
    }
}
