internal import ArgumentParser
internal import DurableActors
internal import DurableCore

/// Why the tool cannot do what it was asked, in one line.
struct Failure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }

    init(_ error: any Error) {
        switch error {
        case let failure as Failure: self = failure
        case let error as ActorError:
            description = error.cause.map { "\(error.message) (\($0))" } ?? error.message
        default: description = "\(error)"
        }
    }

    /// Says it on stderr. The exit code to end with: 1.
    func report() -> ExitCode {
        let line = description.split(whereSeparator: \.isNewline).joined(separator: " ")
        StandardError.write("durable: \(line.onOneLine)\n")
        return .failure
    }
}
