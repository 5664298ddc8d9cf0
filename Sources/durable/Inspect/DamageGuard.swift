internal import Glibc

/// Turns the death by a damaged file into an error message.
///
/// LMDB maps its files and trusts their pages. Much is checked before it sees them, but damage deep inside a file can
/// still lead it to an address that is not there; nothing can be read then, and the process has to end.
enum DamageGuard {
    private static let signals = [SIGSEGV, SIGBUS, SIGABRT]
    // SAFETY: written before the handlers are there, and read by them only; never freed.
    nonisolated(unsafe) private static var message: UnsafeMutablePointer<CChar>?
    // SAFETY: like the message.
    nonisolated(unsafe) private static var standardError: Int32 = -1

    /// Reads files below a directory. Should that be deadly, one line says so and the exit code is 1.
    static func reading<Result>(_ directory: String, _ body: () throws -> Result) rethrows -> Result {
        message = strdup("durable: reading \(directory) is not possible: a data.mdb in it is damaged inside\n")
        // LMDB writes a line of its own before it gives up, which says nothing to a user.
        standardError = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)
        let nothing = open("/dev/null", O_WRONLY | O_CLOEXEC)
        if standardError >= 0, nothing >= 0 { dup2(nothing, STDERR_FILENO) }
        let former = signals.map { number in
            signal(number) { _ in
                if let message = DamageGuard.message { _ = write(DamageGuard.standardError, message, strlen(message)) }
                _exit(1)
            }
        }
        defer {
            for (number, handler) in zip(signals, former) { _ = signal(number, handler) }
            if standardError >= 0 { dup2(standardError, STDERR_FILENO) }
            for descriptor in [standardError, nothing] where descriptor >= 0 { close(descriptor) }
        }
        return try body()
    }
}
