/// After how much silence of its worker an actor's life is ended.
///
/// Workers give a sign of life every two seconds. The time is as long as the supervisor has seen the worker silent: a
/// machine or a supervisor that stood still itself is not held against it.
public struct UnresponsiveLimit: Sendable, Hashable, Codable, CustomStringConvertible {
    /// What has to be silent.
    package enum Scope: String, Sendable, Hashable, Codable {
        case process
        case thread
    }

    /// What has to be silent.
    package let scope: Scope
    /// For how long.
    package let limit: Duration

    /// The process as a whole stands still: it was stopped or frozen, or gets no processor. Code that blocks the
    /// actor's thread is no reason.
    /// - Parameter limit: For how long: five seconds to a day.
    public static func process(_ limit: Duration) -> UnresponsiveLimit {
        UnresponsiveLimit(scope: .process, limit: limit)
    }

    /// The actor's thread runs code that does not give way, outside of `offload`, or waits for the disk, or the process
    /// as a whole stands still. A call that computes for longer than that, and a constructor or the reading of the
    /// stored state that takes longer, are ended as well; a call that was running counts as having crashed its worker.
    /// - Parameter limit: For how long: five seconds to a day.
    public static func thread(_ limit: Duration) -> UnresponsiveLimit {
        UnresponsiveLimit(scope: .thread, limit: limit)
    }

    /// As it is written in Swift.
    public var description: String { ".\(scope)(\(limit))" }

    func validate() throws(ActorError) {
        guard limit >= Limits.unresponsiveAfter, limit <= Limits.unresponsiveLimitMax else {
            let allowed = "allowed are \(Limits.unresponsiveAfter) to \(Limits.unresponsiveLimitMax)"
            throw ActorError(.invalidArgument, "unresponsiveLimit is \(self); \(allowed)")
        }
    }
}
