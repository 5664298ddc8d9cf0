import CBOR
import DurableActors
import DurableCore
import DurableSupervisor
import Foundation
import Glibc
import Testing

/// What a peer that may connect can make a process of the runtime take up, by lengths that nothing follows. See also
/// `FrameReaderTests`, `HostilePeerTests`, `FrameTests` and `HostileInputTests`.
@Suite(.serialized, .timeLimit(.minutes(2))) struct BoundTests {
    /// Connects many times, says hello, declares the largest frames and parts there can be, and sends a few bytes.
    private static let greedy = """
        import socket, struct, sys
        hello = b'DURA' + struct.pack('<HB', 2, int(sys.argv[2]))
        kept = []
        for number in range(40):
            s = socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect(sys.argv[1])
            s.sendall(struct.pack('<IB', len(hello) + 1, 0) + hello)
            kept.append(s)
        for number, s in enumerate(kept):
            # A call, and a part of one: kinds that are really used.
            kind, length = [(1, 64 << 20), (254, 512 << 20)][number % 2]
            try: s.sendall(struct.pack('<IB', length, kind) + b'x' * 100)
            except (BrokenPipeError, ConnectionResetError): pass
        print('declared', flush=True)
        sys.stdin.read()
        """

    @Test func `lengths that are declared cost a worker no memory`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self)
            #expect(try await counter.add(1) == 1)
            let worker = try await runtime.process(of: counter)
            let before = try Self.kibibytes(of: worker)
            let socket = RuntimeLayout(directory: runtime.directory).shardSocket(1)
            let peer = try GreedyPeer(Self.greedy, [socket, "\(ConnectionRole.caller.rawValue)"])
            #expect(peer.line == "declared")
            // What was sent has been read when later calls are answered.
            for number in 2...50 { #expect(try await counter.add(1) == number) }
            let after = try Self.kibibytes(of: worker)
            // 20 parts may have a large page each.
            #expect(after - before < 100 << 10, "from \(before) to \(after) KiB")
            peer.end()
            #expect(try await runtime.process(of: counter) == worker)
        }
    }

    @Test(arguments: ["9b7fffffffffffffff", "bb00ffffffffffffff", "5b00000fffffffffff", "7b00000fffffffffff", "9f"])
    func `an argument that declares more than it has is refused, and its worker lives`(start: String) async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self)
            #expect(try await counter.add(1) == 1)
            let worker = try await runtime.process(of: counter)
            let before = try Self.kibibytes(of: worker)
            let caller = try RawCaller(runtime, shard: 1)
            var frame = try caller.frame(1, to: counter, "add", 0)
            let head = stride(from: 0, to: start.count, by: 2).compactMap {
                UInt8(start.dropFirst($0).prefix(2), radix: 16)
            }
            for bytes in [head, Array(repeatElement(head, count: 20_000).joined())] {
                frame.id.sequence += 1
                frame.arguments = [bytes]
                #expect(try await caller.send(frame).outcome.error?.code == .serialization)
            }
            #expect(try await counter.add(1) == 2)
            #expect(try await runtime.process(of: counter) == worker)
            let after = try Self.kibibytes(of: worker)
            #expect(after - before < 50 << 10, "from \(before) to \(after) KiB")
        }
    }

    /// The memory that a process has at most had at once since it began.
    private static func kibibytes(of pid: Int32) throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
        return try #require(line.split(separator: " ").dropFirst().first.flatMap { Int($0) })
    }
}

/// A program in Python that says one line and then goes on until the end of its input.
private final class GreedyPeer {
    let line: String
    private let process = Process()
    private let input = Pipe()

    init(_ program: String, _ arguments: [String]) throws {
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-c", program] + arguments
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        while read(output.fileHandleForReading.fileDescriptor, &byte, 1) == 1, byte != 10 { bytes.append(byte) }
        line = String(decoding: bytes, as: UTF8.self)
    }

    func end() {
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
    }
}
