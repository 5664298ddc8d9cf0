internal import CDurable
internal import Glibc

/// Why a socket, a connection or a listener could not do what it was asked to do.
package struct TransportError: Error, Hashable, CustomStringConvertible {
    /// What kind of failure it was; new kinds can be added.
    package struct Code: Hashable, Sendable, CustomStringConvertible {
        package let description: String

        /// The path does not fit into a Unix socket address.
        package static let addressTooLong = Code(description: "addressTooLong")
        /// Nobody listens at the address.
        package static let refused = Code(description: "refused")
        /// The address does not exist.
        package static let notFound = Code(description: "notFound")
        /// The file system or the kernel forbids it.
        package static let permissionDenied = Code(description: "permissionDenied")
        /// Somebody else uses the address.
        package static let addressInUse = Code(description: "addressInUse")
        /// The peer or this side ended the connection.
        package static let closed = Code(description: "closed")
        /// The peer sent bytes that are not the protocol.
        package static let protocolViolation = Code(description: "protocolViolation")
        /// The peer speaks another version of the protocol.
        package static let versionMismatch = Code(description: "versionMismatch")
        /// The peer declared a frame above the limit.
        package static let frameTooLarge = Code(description: "frameTooLarge")
        /// More bytes wait to be written than the limit allows.
        package static let bufferFull = Code(description: "bufferFull")
        /// The peer runs as a user that is not allowed here.
        package static let wrongPeer = Code(description: "wrongPeer")
        /// Another failure of the operating system; `errno` says which.
        package static let system = Code(description: "system")
    }

    package var code: Code
    /// One sentence for a person.
    package var message: String
    /// The operating system's error number, 0 if it was not involved.
    package var errno: Int32

    /// Makes an error from its parts.
    package init(_ code: Code, _ message: String, errno: Int32 = 0) {
        self.code = code
        self.message = message
        self.errno = errno
    }

    /// Makes an error from a system call's error number, with the code that fits it.
    init(errno: Int32, _ what: String) {
        self.init(Code(errno: errno), "\(what): \(String(cString: strerror(errno)))", errno: errno)
    }

    package var description: String { "\(code): \(message)" }

    /// Whether something was short that may be there again in a while.
    package var isShortage: Bool { [EMFILE, ENFILE, ENOMEM, ENOBUFS, EAGAIN, ENOSPC, EDQUOT].contains(errno) }
}

extension TransportError.Code {
    init(errno: Int32) {
        switch errno {
        case ECONNREFUSED: self = .refused
        case ENOENT, ENOTDIR: self = .notFound
        case EACCES, EPERM: self = .permissionDenied
        case EADDRINUSE: self = .addressInUse
        case EPIPE, ECONNRESET, ENOTCONN: self = .closed
        case ENAMETOOLONG: self = .addressTooLong
        default: self = .system
        }
    }
}

/// Returns the result of a shim, or throws the error number that it carries.
@discardableResult
func checked(_ result: Int32, _ what: @autoclosure () -> String) throws(TransportError) -> Int32 {
    guard result >= 0 else { throw TransportError(errno: -result, what()) }
    return result
}
