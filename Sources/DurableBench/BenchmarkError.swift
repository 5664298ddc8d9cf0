internal import Glibc

/// Why a benchmark cannot go on.
public struct BenchmarkError: Error, CustomStringConvertible {
    /// What happened, to whom.
    public let description: String

    /// Says what happened.
    public init(_ description: String) { self.description = description }

    /// Says what a call into the system answered.
    /// - Parameters:
    ///   - what: What was tried, or the path that it was tried on.
    ///   - code: The system's number for the reason.
    public init(_ what: String, code: Int32) {
        description = "\(what): \(String(cString: strerror(code)))"
    }
}
