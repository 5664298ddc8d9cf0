internal import Glibc

/// Two connected Unix stream sockets, both close-on-exec. Ends that nobody took are closed with the pair.
package struct SocketPair: ~Copyable {
    private var localEnd: Int32
    private var remoteEnd: Int32

    /// Makes two ends that are connected to each other.
    package init() throws(ProcessError) {
        var ends: [Int32] = [-1, -1]
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, type, 0, &ends) == 0 else {
            throw ProcessError(attempt: "socketpair", errno: errno)
        }
        localEnd = ends[0]
        remoteEnd = ends[1]
    }

    deinit {
        if localEnd >= 0 { close(localEnd) }
        if remoteEnd >= 0 { close(remoteEnd) }
    }

    /// This process's end, still owned by the pair; -1 once it was taken.
    package var local: Int32 { localEnd }

    /// The end for a child, still owned by the pair; -1 once it was taken.
    package var remote: Int32 { remoteEnd }

    /// Hands over this process's end. The caller closes it.
    package mutating func takeLocal() -> Int32 {
        precondition(localEnd >= 0, "the local end was taken before")
        defer { localEnd = -1 }
        return localEnd
    }

    /// Hands over the other end. The caller closes it.
    package mutating func takeRemote() -> Int32 {
        precondition(remoteEnd >= 0, "the remote end was taken before")
        defer { remoteEnd = -1 }
        return remoteEnd
    }
}
