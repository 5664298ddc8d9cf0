import DurableChaos
import Foundation
import Synchronization
import Testing

@testable import DurableTransport

/// All tests of the target, one after the other: several count descriptors.
@Suite(.serialized, .timeLimit(.minutes(2))) enum TransportTests {}

struct Timeout: Error, CustomStringConvertible {
    var description: String
}

/// Waits for a condition with a deadline and says what was last seen.
func eventually(
    _ what: String,
    within deadline: Duration = .seconds(20),
    seen: () -> String = { "nothing more to say" },
    _ condition: () -> Bool
) async throws {
    let end = ContinuousClock.now + deadline
    while !condition() {
        guard ContinuousClock.now < end else { throw Timeout(description: "never: \(what); last seen: \(seen())") }
        try await Task.sleep(for: .milliseconds(1))
    }
}

/// A list that any thread appends to.
final class Record<Element: Sendable>: Sendable {
    private let list = Mutex<[Element]>([])

    var all: [Element] { list.withLock { $0 } }
    var count: Int { list.withLock { $0.count } }

    func append(_ element: Element) { list.withLock { $0.append(element) } }

    func wait(for count: Int) async throws -> [Element] {
        try await eventually("\(count) elements", seen: { "\(self.count)" }) { self.count >= count }
        return all
    }
}

/// A directory with a short name that goes away with the object.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/dt-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Timeout(description: "mkdtemp failed") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        chmod(path, 0o755)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func socket(_ name: String = "s") -> String { path + "/" + name }
}

/// Runs `body` with started loops, which are stopped and waited for afterwards.
func withLoops<Result>(_ count: Int, _ body: ([EventLoop]) async throws -> Result) async throws -> Result {
    let loops = try (0..<count).map { try EventLoop(name: "test-\($0)") }
    for loop in loops { loop.start() }
    defer {
        for loop in loops { loop.stop() }
        for loop in loops { loop.join() }
    }
    return try await body(loops)
}

extension SeededGenerator {
    mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
    }
}

/// The seed of random tests: from the environment, or new each time.
func testSeed() -> UInt64 {
    ProcessInfo.processInfo.environment["TRANSPORT_TEST_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0...999_999)
}

/// What one side of a connection saw.
final class Peer: Sendable {
    let opened = Record<Connection>()
    let frames = Record<Frame>()
    let closed = Record<TransportError?>()
    let descriptors = Record<OwnedDescriptor>()

    var handler: ConnectionHandler {
        ConnectionHandler(
            opened: { self.opened.append($0) },
            received: { _, frame, descriptors in
                for descriptor in descriptors { self.descriptors.append(descriptor) }
                self.frames.append(frame)
            },
            closed: { self.closed.append($1) }
        )
    }

    func connect(
        _ path: String,
        on loop: EventLoop,
        limits: FrameLimits = FrameLimits(),
        role: UInt8 = 2
    ) -> Connection {
        Connection.connect(
            path: path,
            on: loop,
            hello: Hello(role: role, info: [9]),
            limits: limits,
            handler: handler
        )
    }
}

/// A server that sends every frame back.
final class EchoServer: Sendable {
    let listener: Listener
    let path: String
    let connections = Record<Connection>()
    let closed = Record<TransportError?>()
    let refused = Record<TransportError>()
    let frames = Record<Frame>()

    init(
        _ path: String,
        on loop: EventLoop,
        limits: FrameLimits = FrameLimits(),
        allowedUid: UInt32 = geteuid(),
        keepsFrames: Bool = false
    ) throws {
        self.path = path
        listener = try Listener.bind(path: path)
        try listener.accept(
            on: loop,
            hello: { Hello(role: 1, info: [7, 7]) },
            limits: limits,
            allowedUid: allowedUid,
            onRefused: { error, _ in self.refused.append(error) }
        ) { connection in
            self.connections.append(connection)
            return ConnectionHandler(
                received: { connection, frame, _ in
                    if keepsFrames { self.frames.append(frame) }
                    _ = connection.send(frame)
                },
                closed: { self.closed.append($1) }
            )
        }
    }
}

/// A blocking client that can send anything.
final class RawClient {
    private(set) var fd: Int32

    convenience init(_ path: String) throws {
        try self.init()
        try connect(path)
    }

    init() throws {
        fd = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var timeout = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }

    func connect(_ path: String) throws {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(fd, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else { throw Timeout(description: "connect: errno \(errno)") }
    }

    deinit { close() }

    /// Once only: by the second time the number may be a descriptor of another test.
    func close() {
        guard fd >= 0 else { return }
        _ = Glibc.close(fd)
        fd = -1
    }

    @discardableResult
    func write(_ bytes: [UInt8]) -> Bool {
        var offset = 0
        while offset < bytes.count {
            let sent = bytes[offset...].withUnsafeBytes { send(fd, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard sent > 0 else { return false }
            offset += sent
        }
        return true
    }

    /// Reads everything until the end of the stream; nil if the end does not come.
    func readToEnd() -> [UInt8]? {
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = recv(fd, &buffer, buffer.count, 0)
            if count > 0 {
                all += buffer[..<count]
            } else if count == 0 || errno == ECONNRESET {
                return all
            } else {
                return nil
            }
        }
    }

    func read(_ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        return recv(fd, &bytes, count, Int32(MSG_WAITALL)) == count ? bytes : nil
    }

    /// Whether something has arrived, without taking it.
    var hasInput: Bool {
        var byte: UInt8 = 0
        return recv(fd, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT)) > 0
    }
}

/// The bytes of a frame as they travel.
func wire(_ kind: UInt8, _ payload: [UInt8] = []) -> [UInt8] {
    let length = UInt32(payload.count + 1)
    return (0..<4).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + [kind] + payload
}

func helloBytes(version: UInt16 = 2, role: UInt8 = 3) -> [UInt8] {
    wire(0, Array("DURA".utf8) + [UInt8(truncatingIfNeeded: version), UInt8(version >> 8), role])
}

/// A good client is served: it connects, gets its frame back and leaves.
func expectService(_ path: String, on loop: EventLoop) async throws {
    let peer = Peer()
    let connection = peer.connect(path, on: loop)
    #expect(connection.send(Frame(kind: 5, payload: [1, 2, 3])))
    try await eventually("an echo", seen: { "\(peer.closed.all)" }) { peer.frames.count == 1 || peer.closed.count > 0 }
    #expect(peer.frames.all == [Frame(kind: 5, payload: [1, 2, 3])])
    connection.close()
    try await eventually("the end of a good client") { peer.closed.count == 1 }
}

func openDescriptors() -> Int {
    (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count) ?? -1
}

/// A number that any thread counts up.
final class Counter: Sendable {
    private let count = Atomic<Int>(0)

    var value: Int { count.load(ordering: .sequentiallyConsistent) }

    @discardableResult
    func add(_ amount: Int = 1) -> Int { count.add(amount, ordering: .sequentiallyConsistent).newValue }

    func set(_ value: Int) { count.store(value, ordering: .sequentiallyConsistent) }
}
