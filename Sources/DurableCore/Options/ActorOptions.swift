/// How an actor lives: how often it is restarted, how often its calls are retried, what its state survives.
///
/// Defaults are Ray's: no restarts, no retries, owned by whoever created it.
public struct ActorOptions: Sendable, Hashable, Codable {
    /// How often the actor is restarted after its process died unexpectedly; `n` gives `n + 1` lives. A thrown
    /// constructor error and ``DurableCore/ActorError/Code/died`` by `kill` are never restarted.
    public var maxRestarts: RepeatLimit = 0

    /// How many restarts within how much time are too many; no such bound unless given. Beyond it the actor ends,
    /// also when `maxRestarts` has some left: an actor that lives for years can be restarted often, and one that dies
    /// again and again is given up. OTP's `intensity` and `period`.
    public var restartIntensity: RestartIntensity? {
        get { intensity }
        set { intensity = newValue }
    }

    /// The bound, if there is one. Options that were stored before there were any have none.
    private var intensity: RestartIntensity?

    /// How long restarts wait in a row of quick deaths: 50 ms, then twice as long each time, 30 s at most, unless given.
    /// A dedicated actor's only; the worker of a group waits as usual.
    public var restartBackOff: RestartBackOff {
        get { backOff ?? RestartBackOff() }
        set { backOff = newValue == RestartBackOff() ? nil : newValue }
    }

    /// The delays, if they are not the usual ones. Options that were stored before they could be chosen have none.
    private var backOff: RestartBackOff?

    /// After how much silence of its worker the actor's present life is ended, and the next one begins if there may be
    /// one. Unless given, silence is shown only (``ActorSummary/unresponsiveFor``). For dedicated actors.
    public var unresponsiveLimit: UnresponsiveLimit? {
        get { silence }
        set { silence = newValue }
    }

    /// The limit, if there is one. Options that were stored before there were any have none.
    private var silence: UnresponsiveLimit?

    /// How often a call is sent again after the actor died or could not be reached. Above 0, a call runs at least
    /// once for the outside world and exactly once for the actor's own checkpointed state, unless nothing is stored
    /// (``Durability/none``).
    public var maxTaskRetries: RepeatLimit = 0

    /// How many crashes one call may cause before it is taken for their reason and given up, with
    /// ``DurableCore/ActorError/Code/poisonCall``: a positive number, 3 unless given, or without limit. The call's record
    /// is kept as a dead letter, and the actor goes on with its other calls.
    public var maxCallCrashes: RepeatLimit {
        get { callCrashes ?? RepeatLimit(Limits.crashesMax) }
        set { callCrashes = newValue == RepeatLimit(Limits.crashesMax) ? nil : newValue }
    }

    /// The number, if it is not the usual one. Options that were stored before it could be chosen have none.
    private var callCrashes: RepeatLimit?

    /// How many unfinished calls one process may have to the actor at once, waiting, queued or running; without limit
    /// unless given. One more fails at its submission, with ``DurableCore/ActorError/Code/limitExceeded``. A call that
    /// nobody waits for any more does not count, though it may still run. Nor does one that waits for a
    /// reference among its arguments, with those in order behind it, until that is ready.
    public var maxPendingCalls: RepeatLimit {
        get { pendingCalls ?? .unlimited }
        set { pendingCalls = newValue.isUnlimited ? nil : newValue }
    }

    /// The limit, if there is one. Options that were stored before there were limits have none.
    private var pendingCalls: RepeatLimit?

    /// What the actor reserves for life: it is started when a node has that much free, and until then its calls wait.
    /// Unless given, an actor needs one processor free to be started and reserves none, so that there may be any number.
    public var resources: Resources {
        get { reserved ?? Resources() }
        set { reserved = newValue.isGiven ? newValue : nil }
    }

    /// The resources, if any are given. Options that were stored before resources were counted have none.
    private var reserved: Resources?

    /// How many calls of the actor's default ``ConcurrencyGroup`` run at once; 1 unless given: the next starts when the
    /// last has returned. With more, calls start in the order of submission and interleave where they `await`; between
    /// two `await`s no other call runs. All of them run on one thread: blocking work belongs in `offload`.
    ///
    /// What a call has changed when it waits is committed with other calls' outcomes, as if it had called
    /// `checkpoint()` there. If its worker dies before its own end and it is retried, it runs again on that. A call that
    /// changes its actor's state only behind its last `await` changes it exactly once.
    public var maxConcurrency: Int {
        get { concurrency ?? 1 }
        set { concurrency = newValue == 1 ? nil : newValue }
    }

    /// The number, if it is not 1. Options that were stored before it could be chosen have none.
    private var concurrency: Int?

    /// On which node the actor is placed. Without one, the ``SchedulingStrategy/default``, or the placement group of the
    /// actor that creates it, if that has it capture children.
    public var scheduling: SchedulingStrategy?

    /// What an acknowledged mutation survives.
    public var durability: Durability = .disk

    /// Which process it lives in.
    public var isolation: Isolation = .dedicated

    /// The name under which others find the actor; 1 to 128 of `A-Z a-z 0-9 . _ -`, not starting with a dot.
    public var name: String?

    /// The scope of the name; same alphabet.
    public var namespace: String = "default"

    /// Whether the actor outlives its creator, its supervisor and the machine's uptime. Its state stays until it is
    /// killed.
    public var isDetached: Bool = false

    /// Whether the actor ends when nobody has a handle of it any more, in any process; false unless given. Ray's actors
    /// without a name do. It ends as by `terminate`, so that what it was asked for before is done.
    ///
    /// Swift lets a handle go at its last use, not at the end of its scope: an actor that is to work on while nobody uses
    /// a handle must not have this option. The handles count that `spawn` has returned and those that are made of them,
    /// in arguments, results, tasks and actors' memory; not the actor's own `self`. A handle that is put into
    /// checkpointed state, or encoded by the program itself, keeps the actor until its owner ends, and so does the end
    /// of the process that has made it.
    public var endsWithLastHandle: Bool {
        get { endsUnheld ?? false }
        set { endsUnheld = newValue ? true : nil }
    }

    /// Whether it does. Options that were stored before there was the choice say nothing.
    private var endsUnheld: Bool?

    /// Which earlier states are kept, so that the actor can be put back to one; none unless asked for. Every commit
    /// then stores what it replaces as well.
    public var history: HistoryPolicy?

    /// Ray's defaults.
    public init() {}

    /// Makes options.
    /// - Parameters:
    ///   - maxRestarts: How often the actor is restarted after an unexpected death.
    ///   - maxTaskRetries: How often a call is sent again.
    ///   - durability: What an acknowledged mutation survives.
    ///   - isolation: Which process it lives in.
    public init(
        maxRestarts: RepeatLimit = 0,
        maxTaskRetries: RepeatLimit = 0,
        durability: Durability = .disk,
        isolation: Isolation = .dedicated
    ) {
        self.isolation = isolation
        self.maxRestarts = maxRestarts
        self.maxTaskRetries = maxTaskRetries
        self.durability = durability
    }

    /// Restarted without limit, calls retried without limit: a caller sees crashes only as latency.
    public static let resilient = ActorOptions(maxRestarts: .unlimited, maxTaskRetries: .unlimited)

    /// Ray's defaults.
    public static let `default` = ActorOptions()

    /// Ray's defaults for an actor of which this many calls run at once; see `maxConcurrency`.
    public static func maxConcurrency(_ calls: Int) -> ActorOptions {
        var options = ActorOptions()
        options.maxConcurrency = calls
        return options
    }

    /// These options for an actor of which this many calls run at once; see `maxConcurrency`.
    public func maxConcurrency(_ calls: Int) -> ActorOptions {
        var options = self
        options.maxConcurrency = calls
        return options
    }

    /// These options with a limit for the unanswered calls of each process; see `maxPendingCalls`.
    public func maxPendingCalls(_ limit: RepeatLimit) -> ActorOptions {
        var options = self
        options.maxPendingCalls = limit
        return options
    }

    /// These options for an actor that shares a worker process with the other actors of a group.
    public func shared(_ group: String) -> ActorOptions {
        var options = self
        options.isolation = .shared(group)
        return options
    }

    /// These options for an actor that is found under a name and outlives its creator.
    /// - Parameters:
    ///   - name: The name to find it under.
    ///   - namespace: The scope of the name.
    public func detached(name: String, namespace: String = "default") -> ActorOptions {
        var options = self
        options.name = name
        options.namespace = namespace
        options.isDetached = true
        return options
    }

    /// These options for an actor that reserves resources for life.
    /// - Parameters:
    ///   - cpu: Processors; 1 unless given, or none if nothing but memory is given.
    ///   - gpu: GPUs: a fraction of one, or a whole number. The worker finds them in `CUDA_VISIBLE_DEVICES`.
    ///   - memory: Bytes of memory.
    ///   - custom: Resources of any other name.
    public func resources(
        cpu: Double? = nil,
        gpu: Double? = nil,
        memory: Int? = nil,
        custom: [String: Double] = [:]
    ) -> ActorOptions {
        var options = self
        options.resources = Resources(cpu: cpu, gpu: gpu, memory: memory, custom: custom)
        return options
    }

    /// These options for an actor that is placed by a strategy.
    public func scheduled(_ strategy: SchedulingStrategy) -> ActorOptions {
        var options = self
        options.scheduling = strategy
        return options
    }

    /// Checks every option.
    /// - Throws: ``ActorError`` with `invalidArgument`, naming the option and what it allows.
    package func validate() throws(ActorError) {
        for (option, limit) in [("maxRestarts", maxRestarts), ("maxTaskRetries", maxTaskRetries)]
        where !limit.isValid {
            throw ActorError(
                .invalidArgument,
                "\(option) is \(limit.rawValue); allowed are 0, a positive number, or .unlimited (-1)"
            )
        }
        for (option, limit) in [("maxCallCrashes", maxCallCrashes), ("maxPendingCalls", maxPendingCalls)]
        where !limit.isValid || limit == 0 {
            throw ActorError(
                .invalidArgument,
                "\(option) is \(limit.rawValue); allowed are a positive number, or .unlimited (-1)"
            )
        }
        guard maxConcurrency > 0 else {
            throw ActorError(.invalidArgument, "maxConcurrency is \(maxConcurrency); allowed is 1 or more")
        }
        guard durability.isKnown else {
            throw ActorError(.invalidArgument, "durability is \(durability); allowed are .disk, .process and .none")
        }
        try history?.validate()
        try restartIntensity?.validate()
        try restartBackOff.validate()
        try unresponsiveLimit?.validate()
        if unresponsiveLimit != nil, isolation != .dedicated {
            let message = "unresponsiveLimit is for dedicated actors only; isolation is \(isolation)"
            throw ActorError(.invalidArgument, message)
        }
        if backOff != nil, isolation != .dedicated {
            throw ActorError(.invalidArgument, "restartBackOff is for dedicated actors only; isolation is \(isolation)")
        }
        _ = try ResourceDemand(resources)
        try scheduling?.validate()
        if scheduling != nil, isolation != .dedicated {
            throw ActorError(.invalidArgument, "dedicated actors only are scheduled; isolation is \(isolation)")
        }
        if reserved != nil, isolation != .dedicated {
            throw ActorError(
                .invalidArgument,
                "resources are reserved for dedicated actors only; isolation is \(isolation)"
            )
        }
        if endsWithLastHandle, isDetached || name != nil {
            let message = """
                endsWithLastHandle is for actors that are found by handles only; name is \(name ?? "nil"), isDetached \
                is \(isDetached)
                """
            throw ActorError(.invalidArgument, message)
        }
        if let name { try Self.validate(name, as: "name") }
        if case .shared(let group) = isolation { try Self.validate(group, as: "isolation's group") }
        try Self.validate(namespace, as: "namespace")
    }

    /// Checks that a text can be a name.
    package static func validate(_ text: String, as what: String) throws(ActorError) {
        let isAllowed = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
        guard isAllowed, (1...128).contains(text.utf8.count), !text.hasPrefix(".") else {
            throw ActorError(
                .invalidArgument,
                "\(what) is \"\(text.onOneLine)\"; allowed are 1 to 128 of A-Z a-z 0-9 . _ -, not starting with a dot"
            )
        }
    }
}
