internal import DurableActors
internal import Synchronization

/// What the clients of a scenario make their calls through: it counts them, and says when it is enough.
final class ChaosTraffic: Sendable {
    /// How a call ended, as far as its caller knows.
    enum Outcome<Value> {
        /// It happened, and gave this.
        case acknowledged(Value)
        /// It certainly did not happen.
        case failed
        /// It may have happened.
        case unknown
    }

    /// Codes that say that a call was not begun.
    private static let certain: Set<ActorError.Code> = [.notFound, .invalidArgument, .limitExceeded]

    let book: ChaosBook
    private let over = Mutex(false)

    init(_ book: ChaosBook) { self.book = book }

    /// Whether clients are to begin nothing more.
    var isOver: Bool { over.withLock { $0 } }

    /// Lets the clients end.
    func end() { over.withLock { $0 = true } }

    /// Whether an error says that a call did not happen.
    static func isCertain(_ error: any Error) -> Bool {
        (error as? ActorError).map { certain.contains($0.code) } ?? false
    }

    /// Makes a call.
    func call<Value>(_ body: () async throws -> Value) async -> Outcome<Value> {
        let began = ContinuousClock.now
        do {
            let value = try await body()
            book.acknowledged(after: .now - began)
            return .acknowledged(value)
        } catch {
            let isCertain = Self.isCertain(error)
            book.threw(error, isCertain: isCertain)
            // What cannot be called now is not called without end.
            try? await Task.sleep(for: .milliseconds(20))
            return isCertain ? .failed : .unknown
        }
    }
}
