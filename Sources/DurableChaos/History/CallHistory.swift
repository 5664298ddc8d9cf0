public import DurableActors

/// What callers saw of an actor, or of several: which calls were begun when, and how each ended.
///
/// Times are places in one order of events. Two calls are one after the other when the first ended before the second was
/// invoked; otherwise they overlap, and either may have come first.
public struct CallHistory<Model: SequentialModel>: Sendable {
    /// How a call ended, as far as its caller knows.
    public enum Outcome: Sendable, Equatable {
        /// The caller got this.
        case acknowledged(Model.Response)
        /// It certainly did not happen.
        case failed
        /// It may have happened, once, at any time after it was invoked; or not.
        case unknown
    }

    /// A call as its caller saw it.
    public struct Call: Sendable, CustomStringConvertible {
        /// The actor that was called; each is checked by itself.
        public var actor: String
        /// The call.
        public var operation: Model.Operation
        /// When it was invoked.
        public var invoked: Int
        /// When its outcome was known; `nil` while it is open.
        public var ended: Int?
        /// How it ended; `unknown` while it is open.
        public var outcome: Outcome
        /// When the actor says that it answered, if it did; see `CallHistory.witness(from:)`.
        public var stamp: ReplyStamp?

        /// Makes a call.
        public init(
            actor: String = "",
            _ operation: Model.Operation,
            invoked: Int,
            ended: Int?,
            _ outcome: Outcome,
            stamp: ReplyStamp? = nil
        ) {
            precondition(ended.map { $0 > invoked } ?? true, "a call ends after it was invoked")
            self.actor = actor
            self.operation = operation
            self.invoked = invoked
            self.ended = ended
            self.outcome = outcome
            self.stamp = stamp
        }

        /// In the form `[3, 5] add(2) -> 7 at 1.4`.
        public var description: String {
            let end = ended.map { "\($0)" } ?? "…"
            let result =
                switch outcome {
                case .acknowledged(let response): "\(response)"
                case .failed: "failed"
                case .unknown: "unknown"
                }
            return
                "[\(invoked), \(end)] \(actor.isEmpty ? "" : "\(actor): ")\(operation) -> \(result)\(stamp.map { " at \($0)" } ?? "")"
        }
    }

    /// The calls, in the order in which they were invoked.
    public private(set) var calls: [Call]

    /// Makes a history.
    public init(_ calls: [Call] = []) { self.calls = calls.sorted { $0.invoked < $1.invoked } }

    /// Adds a call, and says its place among the calls.
    mutating func append(_ call: Call) -> Int {
        calls.append(call)
        return calls.count - 1
    }

    mutating func end(_ place: Int, at time: Int, _ outcome: Outcome, _ stamp: ReplyStamp?) {
        calls[place].ended = time
        calls[place].stamp = stamp
        calls[place].outcome = outcome
    }
}
