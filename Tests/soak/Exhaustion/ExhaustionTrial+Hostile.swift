import ArgumentParser
import CBOR
import DurableActors
import DurableCore
import DurableSupervisor
import Glibc

/// Peers that mean harm, on the real sockets of a worker and of a supervisor.
extension ExhaustionTrial {
    func beHostile(in directory: TrialDirectory) async throws {
        try await underLoad(in: directory) { [self] runtime, book, witness in
            let layout = RuntimeLayout(directory: runtime.directory)
            let (worker, supervisor) = (try await book.processID(), runtime.supervisorProcessID)
            let (host, keeper) = (layout.shardSocket(1), layout.socket)
            let before = witness.acknowledged
            var open: [RawPeer] = []
            for turn in 0..<60 {
                let path = turn % 3 == 0 ? keeper : host
                let role: ConnectionRole = turn % 3 == 0 ? [.driver, .worker, .supervisor][choose(0...2)] : .caller
                let peer = try RawPeer(path)
                switch choose(0...4) {
                case 0:
                    peer.send(bytes(choose(1...3000)))
                    bit("random frames")
                case 1:
                    peer.send(RawPeer.hello(role))
                    for _ in 0..<choose(1...5) {
                        peer.send(RawPeer.wire(UInt8(choose(1...253)), bytes(choose(0...200))))
                    }
                    bit("random frames")
                case 2:
                    // Right but for some bits.
                    var frame = RawPeer.wire(FrameKind.call, call(book, UInt64(choose(1...9))).encoded())
                    for _ in 0..<choose(1...4) { frame[choose(0...frame.count - 1)] ^= 1 << UInt8(choose(0...7)) }
                    peer.send(RawPeer.hello(role) + frame)
                    bit("changed frames")
                case 3:
                    // A byte now and then, and never the end.
                    let frame = RawPeer.hello(role) + RawPeer.wire(FrameKind.call, bytes(500))
                    for byte in frame.prefix(choose(1...30)) { peer.send([byte]) }
                    open.append(peer)
                    bit("slow writers")
                default:
                    // It says hello and leaves, or says nothing and stays.
                    if choose(0...1) == 0 { peer.send(RawPeer.hello(role)) } else { open.append(peer) }
                    bit("half-open connections")
                }
                if turn % 10 == 9 { try await Task.sleep(for: .milliseconds(5)) }
            }
            try await replay(book, host)
            if await !isReached(within: .seconds(10), { witness.acknowledged > before + 20 }) {
                violate("other callers are not served while hostile peers are connected")
            }
            if try await book.processID() != worker { violate("a hostile peer has ended the worker") }
            if runtime.supervisorProcessID != supervisor { violate("a hostile peer has ended the supervisor") }
            open.removeAll()
        }
    }

    /// Sends what another one has sent, under that one's session.
    private func replay(_ book: Passbook, _ path: String) async throws {
        let session = SessionID(random: &Self.system)
        let frame = call(book, 1, session: session, ticket: Self.ticket(choose(1...1_000_000)))
        let first = try await RawPeer.reply(to: frame, path)
        for _ in 0..<3 {
            let again = try await RawPeer.reply(to: frame, path)
            if again != first { violate("a replayed call was answered otherwise: \(String(describing: again))") }
            bit("replayed calls")
        }
        var other = frame
        other.arguments = call(book, 1, session: session, ticket: 1).arguments
        guard case .failed(let bytes)? = try await RawPeer.reply(to: other, path),
            try CBORDecoder().decode(ActorError.self, from: bytes).code == .callIdReused
        else { return violate("another call under a used id was not refused") }
    }

    private static var system: SystemRandomNumberGenerator {
        get { SystemRandomNumberGenerator() }
        set {}
    }

    /// Far from those of callers that are watched.
    private static func ticket(_ number: Int) -> Int { PassbookWitness.foreignTicketsMin + number }

    private func call(_ book: Passbook, _ sequence: UInt64, session: SessionID? = nil, ticket: Int? = nil) -> CallFrame
    {
        let ticket = ticket ?? Self.ticket(choose(0...1 << 40))
        return CallFrame(
            actor: book.id,
            id: CallID(session: session ?? SessionID(random: &Self.system), sequence: sequence),
            firstIncomplete: 1,
            // The name under which Swift knows a distributed method that takes an unlabelled `Int` and returns one.
            method: "$s\(_mangledTypeName(Passbook.self) ?? "")5enteryS2iYaKFTE",
            arguments: [(try? CBOREncoder().encode(ticket)) ?? []]
        )
    }

    /// A process of another user finds the sockets open to it, as they never are, and is refused all the same.
    func beForeign(in directory: TrialDirectory) async throws {
        try await underLoad(in: directory) { [self] runtime, _, _ in
            let layout = RuntimeLayout(directory: runtime.directory)
            let sockets = [layout.socket, layout.shardSocket(1)]
            let folders = [directory.path, layout.directory, layout.supervisor, layout.shards, layout.shard(1)]
            let closed = try LaneChild(["stranger"] + sockets)
            if await closed.line() != "refused refused" { violate("a foreign user came to the sockets") }
            await closed.reap()
            for folder in folders { chmod(folder, 0o711) }
            for socket in sockets { chmod(socket, 0o666) }
            let stranger = try LaneChild(["stranger"] + sockets)
            let said = await stranger.line()
            if said != "dropped dropped" { violate("a foreign user was served: \(said ?? "nothing")") }
            await stranger.reap()
            for folder in folders { chmod(folder, 0o700) }
            for socket in sockets { chmod(socket, 0o600) }
            bit("foreign users refused", 2)
        }
    }
}

/// A connection that sends what it likes.
final class RawPeer {
    private let socket: Int32

    init(_ path: String) throws {
        socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8).prefix($0.count - 1)) }
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard status == 0 else { throw LaneError("\(path) cannot be reached: \(String(cString: strerror(errno)))") }
        _ = fcntl(socket, F_SETFL, O_NONBLOCK)
    }

    deinit { close(socket) }

    static func wire(_ kind: UInt8, _ payload: [UInt8]) -> [UInt8] {
        withUnsafeBytes(of: UInt32(payload.count + 1).littleEndian) { Array($0) } + [kind] + payload
    }

    static func hello(_ role: ConnectionRole) -> [UInt8] { wire(0, Array("DURA".utf8) + [2, 0, role.rawValue]) }

    /// What does not fit, or is not wanted, is not sent.
    func send(_ bytes: [UInt8]) { _ = Glibc.send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL)) }

    /// What has come; nil when the other end has closed.
    func receive() -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 65536)
        let count = recv(socket, &bytes, bytes.count, 0)
        if count > 0 { return Array(bytes[..<count]) }
        return count < 0 && errno == EAGAIN ? [] : nil
    }

    /// Makes one call on a connection of its own.
    static func reply(to frame: CallFrame, _ path: String) async throws -> CallOutcome? {
        let peer = try RawPeer(path)
        peer.send(hello(.caller) + wire(FrameKind.call, frame.encoded()))
        var bytes: [UInt8] = []
        var outcome: CallOutcome?
        let isAnswered = await isReached(within: .seconds(10)) {
            guard let more = peer.receive() else { return true }
            bytes += more
            while bytes.count >= 5 {
                let length = Int(bytes[0]) | Int(bytes[1]) << 8 | Int(bytes[2]) << 16 | Int(bytes[3]) << 24
                guard bytes.count >= 4 + length else { return false }
                if bytes[4] == FrameKind.reply, let reply = try? ReplyFrame(decoding: Array(bytes[5..<4 + length])) {
                    outcome = reply.outcome
                    return true
                }
                bytes.removeFirst(4 + length)
            }
            return false
        }
        guard isAnswered, outcome != nil else { throw LaneError("a call was not answered") }
        return outcome
    }
}

/// A process of the user nobody, for the lane's own use.
struct Stranger: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "stranger", shouldDisplay: false)

    @Argument var sockets: [String]

    func run() throws {
        let nobody: uid_t = 65534
        guard setgroups(0, nil) == 0, setgid(nobody) == 0, setuid(nobody) == 0 else {
            throw LaneError("the stranger cannot become another user")
        }
        let words = sockets.map { path in
            guard let peer = try? RawPeer(path) else { return "refused" }
            peer.send(RawPeer.hello(.caller))
            for _ in 0..<1000 {
                guard let bytes = peer.receive() else { return "dropped" }
                if !bytes.isEmpty { return "answered" }
                usleep(5000)
            }
            return "ignored"
        }
        print(words.joined(separator: " "))
    }
}
