internal import CBOR
internal import Distributed
internal import DurableCore
internal import Synchronization

/// How one call is made, beyond what the actor's options say.
///
/// Given to ``DurableActor/with(_:_:)`` or ``DurableActor/submit(_:_:)``.
public struct CallOptions: Sendable, Hashable {
    /// Names the call over callers and their lives: whoever calls this actor under the same key with the same method
    /// and arguments makes the same call, which runs once; the others get its outcome. 1 to 512 bytes.
    public var idempotencyKey: String?

    /// How long the outcome is kept under the key, after the call; up to 30 days. Later, the same key is a new call.
    public var retention: Duration = .seconds(86_400)

    /// How often this call is sent again after the actor died or could not be reached, in place of what the actor's own
    /// options say; `nil` for those.
    public var maxTaskRetries: RepeatLimit?

    /// For how long the caller waits, over all restarts and retries; then it gets ``ActorError`` with `timedOut`. A
    /// call that was not sent until then never runs; one that was sent may still run, and changes what it changes. `nil`
    /// for what ``DurableActor/methodOptions`` say.
    public var timeout: Duration?

    /// Errors that let the call be made again when its method throws them, as long as retries are left; `nil` for what
    /// ``DurableActor/methodOptions`` say.
    ///
    /// Deaths of the actor and these errors share the retries. Each attempt is a call of its own: it keeps what it
    /// changed before it threw, and comes after the calls that were submitted meanwhile. Not together with a key, under
    /// which there is one outcome.
    public var retryOn: RetriedErrors?

    /// The ``ConcurrencyGroup`` of the actor's type in which the call runs, and whose limit it counts against, in place
    /// of its method's; `"default"` for the one of methods without a group, `nil` for the method's own. A group that
    /// the type does not declare is refused at submission.
    public var concurrencyGroup: String?

    /// A call without a key and without a limit of time, retried as the actor's options say.
    public init() {}

    /// A call that is sent again this often, whatever the actor's options say.
    public static func maxTaskRetries(_ limit: RepeatLimit) -> CallOptions {
        var options = CallOptions()
        options.maxTaskRetries = limit
        return options
    }

    /// A call that is made again when its method throws one of these errors; see ``retryOn``.
    /// - Parameters:
    ///   - errors: As in `[Busy.self]`, or `.all`.
    ///   - maxTaskRetries: How often the call is made again; `nil` for what the actor's options say.
    public static func retryOn(_ errors: RetriedErrors, maxTaskRetries: RepeatLimit? = nil) -> CallOptions {
        var options = CallOptions()
        options.retryOn = errors
        options.maxTaskRetries = maxTaskRetries
        return options
    }

    /// A call whose caller waits this long at most. A call that was sent by then may still run.
    public static func timeout(_ duration: Duration) -> CallOptions {
        var options = CallOptions()
        options.timeout = duration
        return options
    }

    /// A call that runs in this ``ConcurrencyGroup`` of the actor's type instead of its method's.
    public static func concurrencyGroup(_ name: String) -> CallOptions {
        var options = CallOptions()
        options.concurrencyGroup = name
        return options
    }

    /// A call that runs once, whoever makes it how often.
    /// - Parameters:
    ///   - key: Names the call, among all calls to its actor.
    ///   - retention: How long its outcome is kept.
    public static func idempotencyKey(_ key: String, retention: Duration = .seconds(86_400)) -> CallOptions {
        var options = CallOptions()
        options.idempotencyKey = key
        options.retention = retention
        return options
    }

    /// These options together with others, as in `.idempotencyKey("order-42").and(.timeout(.seconds(1)))`. Where both say
    /// something, the others count.
    public func and(_ others: CallOptions) -> CallOptions {
        var options = self
        if let key = others.idempotencyKey {
            options.idempotencyKey = key
            options.retention = others.retention
        }
        options.maxTaskRetries = others.maxTaskRetries ?? maxTaskRetries
        options.timeout = others.timeout ?? timeout
        options.retryOn = others.retryOn ?? retryOn
        options.concurrencyGroup = others.concurrencyGroup ?? concurrencyGroup
        return options
    }

    /// How hard the call is tried, from now on.
    /// - Parameters:
    ///   - actor: The actor that is called.
    ///   - method: What counts where these options say nothing.
    /// - Throws: `invalidArgument`, naming the option and what it allows.
    func effort(for actor: ActorID, _ method: MethodOptions?) throws(ActorError) -> CallEffort {
        let maxTaskRetries = maxTaskRetries ?? method?.maxTaskRetries
        let timeout = timeout ?? method?.timeout
        let retryOn = retryOn ?? (idempotencyKey == nil ? method?.retryOn : nil) ?? .never
        if let maxTaskRetries, !maxTaskRetries.isValid {
            let allowed = "allowed are 0, a positive number, or .unlimited (-1)"
            let message = "maxTaskRetries is \(maxTaskRetries.rawValue); \(allowed)"
            throw ActorError(.invalidArgument, message, actor: actor)
        }
        if let timeout, timeout <= .zero {
            throw ActorError(.invalidArgument, "timeout is \(timeout); allowed is more than 0", actor: actor)
        }
        guard retryOn == .never || idempotencyKey == nil else {
            let message = "a call with an idempotencyKey has one outcome, and cannot be made again after an error"
            throw ActorError(.invalidArgument, message, actor: actor)
        }
        return CallEffort(
            retries: maxTaskRetries,
            deadline: timeout.map { CallEffort.Deadline($0) },
            retryOn: retryOn
        )
    }

    /// The group that the call asks for.
    /// - Throws: `invalidArgument` when the actor's type has none of that name, naming those that it has.
    func group(of type: any DistributedActor.Type, _ actor: ActorID) throws(ActorError) -> String? {
        guard let concurrencyGroup, let type = type as? any DurableActor.Type else { return nil }
        _ = try ConcurrencyGroups(type.concurrencyGroups).lane(ofGroup: concurrencyGroup, type: "\(type)", actor: actor)
        return concurrencyGroup
    }

    /// What the call's frame carries of it.
    /// - Throws: `invalidArgument`, naming the option and what it allows.
    func deduplication(of actor: ActorID) throws(ActorError) -> Deduplication? {
        guard let idempotencyKey else { return nil }
        guard (1...Limits.idempotencyKeyBytesMax).contains(idempotencyKey.utf8.count) else {
            let message = "idempotencyKey has \(idempotencyKey.utf8.count) bytes; allowed are 1 to 512"
            throw ActorError(.invalidArgument, message, actor: actor)
        }
        guard retention > .zero, retention <= Limits.retentionMax else {
            let message = "retention is \(retention); allowed is more than 0, up to 30 days"
            throw ActorError(.invalidArgument, message, actor: actor)
        }
        return Deduplication(
            CallKey(text: idempotencyKey, of: actor),
            retentionMilliseconds: max(1, retention.wholeMilliseconds),
            isExplicit: true
        )
    }
}

extension DurableActor {
    /// Makes a call with options, as in
    /// `try await account.with(.idempotencyKey("order-42")) { try await $0.deposit(5) }`.
    ///
    /// - Parameters:
    ///   - options: How the call is made.
    ///   - body: Makes the call. The options are those of its first call to this actor; further ones have none.
    /// - Returns: What the body returns.
    /// - Throws: What the body throws; ``ActorError`` with `callIdReused` when the key was used for another method or
    ///   other arguments, with `limitExceeded` when the actor keeps too many records, with `sessionExpired` when this
    ///   call was first sent so long ago that its record may be gone, and with `timedOut` when the outcome did not come
    ///   in time.
    nonisolated(nonsending) public func with<Result: Sendable>(
        _ options: CallOptions,
        _ body: nonisolated(nonsending) (Self) async throws -> Result
    ) async throws -> Result {
        try await PendingOptions.$current.withValue(PendingOptions(options, for: id)) { try await body(self) }
    }

    /// Submits a call with options and returns at once; see ``submit(_:)`` and ``with(_:_:)``.
    nonisolated public func submit<Result: Sendable>(
        _ options: CallOptions,
        _ body: @escaping @Sendable (Self) async throws -> Result
    ) -> ObjectRef<Result> {
        submit { actor in try await actor.with(options, body) }
    }
}

/// Options that wait for the call they are meant for, carried to it by its task.
final class PendingOptions: Sendable {
    @TaskLocal static var current: PendingOptions?

    private let options: CallOptions
    private let actor: ActorID
    private let isTaken = Atomic(false)

    init(_ options: CallOptions, for actor: ActorID) {
        self.options = options
        self.actor = actor
    }

    /// The options, for the first call to the actor; `nil` for any other.
    func take(for actor: ActorID) -> CallOptions? {
        guard actor == self.actor, !isTaken.exchange(true, ordering: .relaxed) else { return nil }
        return options
    }
}
