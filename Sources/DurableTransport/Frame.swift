internal import CDurable

/// One message on a connection: a kind that the users of the connection agree on, and bytes.
///
/// A large payload travels as shared memory and not through the socket, which its users do not notice.
package struct Frame: Sendable, Hashable {
    /// What the payload is; 0, 254 and 255 belong to the transport and cannot be sent.
    package var kind: UInt8
    package var payload: [UInt8]
    /// Large byte strings beside the payload. They are written from and read to where they are, without a copy.
    package var parts: [FramePart]

    /// Makes a frame of a kind and its bytes.
    package init(kind: UInt8, payload: [UInt8] = [], parts: [FramePart] = []) {
        self.kind = kind
        self.payload = payload
        self.parts = parts
    }

    /// Bytes before the payload: a little-endian 32-bit length of what follows it, and the kind.
    static let headerBytes = 5
    /// The kind of the first frame of each direction.
    static let helloKind: UInt8 = 0
    /// A frame whose payload comes as a segment: its own payload is the kind, and the segment's descriptor is with it.
    static let segmentKind: UInt8 = 255
    /// A part of the next frame: its payload is the part, or nothing, when a segment's descriptor is with it.
    static let partKind: UInt8 = 254

    /// The length field: kind and payload.
    var lengthField: Int { payload.count + 1 }
}

/// A large byte string of a frame.
package enum FramePart: Sendable, Hashable {
    case array([UInt8])
    case segment(SharedSegment)

    package var count: Int {
        switch self {
        case .array(let bytes): bytes.count
        case .segment(let segment): segment.count
        }
    }
}

/// The bounds of a connection; everything that a peer can make grow has one.
package struct FrameLimits: Sendable, Hashable {
    /// The most bytes that kind and payload of one frame may have together.
    package var frameBytesMax = 64 << 20
    /// Payloads of at least this size travel as shared memory; those that come with descriptors do not.
    package var segmentBytesMin = 1 << 20
    /// The most bytes that a payload in shared memory may have, and all parts of a frame together.
    package var segmentBytesMax = 512 << 20
    /// The most parts that a frame may have.
    package var partsMax = 224
    /// The most bytes that kind and payload of a Hello may have together.
    package var handshakeBytesMax = 4096
    /// The most bytes that may wait to be written on one connection.
    package var sendBufferBytesMax = 256 << 20
    /// Whether other threads leave it to a loop that is awake to write, so that one write carries what they all send
    /// meanwhile. For loops on which nothing runs that takes long.
    package var leavesWritingToLoop = false
    /// How long an accepted peer may take to say Hello.
    package var handshakeTimeout: Duration = .seconds(5)
    /// How long the peer may take to read the rest after `closeAfterFlush()`.
    package var flushTimeout: Duration = .seconds(5)
    /// The most descriptors that may travel with one frame; values above 16 act as 16.
    package var descriptorsPerFrameMax = 4

    /// Makes the default limits.
    package init() {}

    var descriptorsMax: Int { min(descriptorsPerFrameMax, Int(DURABLE_IO_DESCRIPTORS_MAX)) }
}

/// What each side says about itself before anything else; the transport adds magic and version.
package struct Hello: Sendable, Hashable {
    /// The part that the sender plays, in the words of the users of the connection.
    package var role: UInt8
    package var info: [UInt8]

    /// Makes a greeting.
    package init(role: UInt8, info: [UInt8] = []) {
        self.role = role
        self.info = info
    }
}

/// The user and process at the other end, as the kernel knows them.
///
/// For the side that connected, the process is the one that called `listen`: a supervisor that binds sockets for its
/// workers, not the worker that accepted.
package struct PeerCredentials: Sendable, Hashable {
    package var pid: Int32
    package var uid: UInt32
    package var gid: UInt32

    /// Makes credentials from their parts.
    package init(pid: Int32, uid: UInt32, gid: UInt32) {
        self.pid = pid
        self.uid = uid
        self.gid = gid
    }

    /// What a connection reports before it is connected; no process and no user has these numbers.
    static let unknown = PeerCredentials(pid: 0, uid: .max, gid: .max)

    static func of(_ fd: Int32) throws(TransportError) -> PeerCredentials {
        var raw = durable_io_credentials()
        try checked(durable_io_peer(fd, &raw), "cannot read who the peer is")
        return PeerCredentials(pid: raw.pid, uid: raw.uid, gid: raw.gid)
    }
}
