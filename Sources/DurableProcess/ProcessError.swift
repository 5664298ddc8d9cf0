internal import Glibc

/// What went wrong with a process, its descriptors or the files that belong to it.
package struct ProcessError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The kind of failure, for code to branch on.
    package struct Code: RawRepresentable, Hashable, Sendable {
        /// The code as it is logged.
        package var rawValue: String

        /// Makes a code from its logged form.
        package init(rawValue: String) {
            self.rawValue = rawValue
        }

        /// The executable cannot be opened or executed: fix the path or the file.
        package static let executableUnusable = Code(rawValue: "executable-unusable")
        /// The configuration cannot be passed to any process, whatever the machine's state.
        package static let invalidConfiguration = Code(rawValue: "invalid-configuration")
        /// The machine or this process has too little memory, too few descriptors or too few process slots for now.
        package static let resourcesExhausted = Code(rawValue: "resources-exhausted")
        /// A system call failed in another way; see `errno`.
        package static let systemCall = Code(rawValue: "system-call")
    }

    /// The kind of failure.
    package var code: Code
    /// What was attempted and why it failed, for a person.
    package var message: String
    /// The system's error number, 0 where no system call was involved.
    package var errno: Int32

    /// Makes an error; `errno` is left out where no system call was involved.
    package init(code: Code, message: String, errno: Int32 = 0) {
        self.code = code
        self.message = message
        self.errno = errno
    }

    /// The code and the message on one line.
    package var description: String { "\(code.rawValue): \(message)" }
}

extension ProcessError {
    /// Makes the error for a failed system call, with the code that follows from its error number.
    init(attempt: String, errno: Int32) {
        let code: Code =
            switch errno {
            case EMFILE, ENFILE, ENOMEM, EAGAIN, ENOSPC, EDQUOT: .resourcesExhausted
            default: .systemCall
            }
        self.init(code: code, message: "\(attempt): \(String(cString: strerror(errno))) (errno \(errno))", errno: errno)
    }
}
