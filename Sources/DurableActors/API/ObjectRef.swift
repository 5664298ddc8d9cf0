internal import DurableCore

/// A value that a submitted call will have, or that was put. Ray: `ObjectRef`.
///
/// It is `Codable` when its value is, and can then be passed to actors and tasks, returned and stored in other values.
/// The value stays where it is: who gets the reference fetches it from the process that submitted the call or put the
/// value, its owner. Large values, from 1 MiB up, lie in shared memory that each process maps. A value is kept until no
/// process has a reference to it any more, and ends with its owner: then those who have not fetched it yet get
/// ``DurableCore/ActorError/Code/ownerDied``. A reference in stored state, or in a text, keeps nothing.
///
/// Two references are equal when they belong to the same submission, or stand for the same value that was put.
public struct ObjectRef<Value: Sendable>: Sendable {
    enum Source: Sendable {
        /// A submission of this process.
        case submission(Settlement<Value>)
        /// A value that was put, or that another process has.
        case object(HeldObject, decode: @Sendable (ObjectContents) throws -> Value)
    }

    let name: ObjectName
    let source: Source
    private let store: ObjectStore

    /// A reference to what a submission will give.
    init(_ settlement: Settlement<Value>, on runtime: ActorRuntime) {
        store = runtime.objects
        name = store.owned.nextName()
        source = .submission(settlement)
    }

    /// Waits for the call and returns its result.
    /// - Throws: What the call threw: the actor's own error, or ``ActorError``; `CancellationError` when the waiting
    ///   task is cancelled, which does not end the call. ``ActorError`` with `ownerDied` or `objectLost` when the value
    ///   has gone with its owner, or nobody kept it.
    public var value: Value {
        get async throws { try await value(timeout: nil) }
    }

    /// Waits for the call, for a limited time, and returns its result. The call goes on when the time runs out.
    /// - Parameter timeout: How long to wait; zero only looks, `nil` waits for ever.
    /// - Throws: What the call threw; ``ActorError`` with `timedOut` when it has not ended in time.
    public func value(timeout: Duration?) async throws -> Value {
        if timeout == nil, let outcome { return try outcome.get() }
        try await end(timeout: timeout)
        guard let outcome else { throw ActorError(.timedOut, "the call has not ended in time") }
        return try outcome.get()
    }

    /// Whether the call has ended, with a result or an error, and that has arrived.
    public var isReady: Bool {
        switch source {
        case .submission(let settlement): settlement.isSettled
        case .object(let object, _): object.contents.isSettled
        }
    }

    /// Has `body` called once, with the result or the error, when the call has ended, also when it has already. What
    /// `body` throws is of no consequence. Ray: `ObjectRef._on_completed`.
    /// - Parameter body: Called in a task of its own.
    public func onCompletion(_ body: @escaping @Sendable (Result<Value, any Error>) throws -> Void) {
        switch source {
        case .submission(let settlement):
            _ = settlement.observe { result in Task { try? body(result) } }
        case .object(let object, let decode):
            // What decodes is the user's code as well, and is not for the thread that hears of the value.
            _ = object.contents.observe { contents in
                Task { try? body(contents.flatMap { contents in Result { try decode(contents) } }) }
            }
        }
    }
}

extension ObjectRef {
    /// Wants the call to end early. Returns at once; ``value`` says what became of it. Ray: `ray.cancel`.
    ///
    /// A call that has not begun never runs, in no life of its actor and by no retry, and fails with
    /// ``DurableCore/ActorError/Code/cancelled``. In one that runs, `Task.isCancelled` becomes true and what waits in it
    /// throws `CancellationError`; with that it fails as cancelled, and keeps what it has changed, like every call that
    /// throws. A method that pays no attention, and a call that has ended, are not affected: their result counts.
    /// Whichever it is, the outcome is recorded, so that a crash does not turn one into the other. Every process that has
    /// the reference can cancel; a value that was put is not affected.
    /// - Parameter recursive: Whether the calls to other actors that it waits for are cancelled as well. Otherwise they
    ///   go on, and only the wait for them ends.
    public func cancel(recursive: Bool = true) {
        switch source {
        case .submission(let settlement): settlement.cancel(recursive ? .recursive : .single)
        case .object(let object, _): object.cancel(recursive ? .recursive : .single)
        }
    }
}

extension Settlement {
    /// Wants the call to end early.
    func cancel(_ kind: CallFrame.Cancellation) {
        guard !isSettled, let cancellation else { return }
        cancellation.cancel(kind) {
            settle(.failure(ActorError(.cancelled, "the call was cancelled before it was made")))
        }
    }
}

extension ObjectRef: Hashable {
    /// Whether both belong to the same submission, or stand for the same value.
    public static func == (left: Self, right: Self) -> Bool { left.name == right.name && left.store === right.store }

    /// Adds the submission's identity.
    public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

extension ObjectRef: Codable where Value: Codable {
    /// A reference that came from elsewhere. Its value begins to be fetched.
    public init(from decoder: any Decoder) throws {
        guard let runtime = decoder.userInfo[.actorSystemKey] as? ActorRuntime else {
            throw ActorError(.serialization, "a reference can only be decoded by a runtime, in an argument or a result")
        }
        self.init(try runtime.objects.object(ObjectID(from: decoder)), on: runtime)
    }

    /// Writes what names the value; the value itself is not copied. Only for other processes of the same runtime.
    public func encode(to encoder: any Encoder) throws {
        if let number = EncodedReferences.nextNumber() { return try number.encode(to: encoder) }
        let object = object
        let id: ObjectID
        if let owner = object.name.owner {
            store.borrowed.linger(object)
            id = ObjectID(owner: owner, number: object.name.number)
        } else {
            id = try store.owned.export(object)
        }
        EncodedReferences.note(object)
        try id.encode(to: encoder)
    }

    init(_ object: HeldObject, on runtime: ActorRuntime) {
        name = object.name
        store = runtime.objects
        source = .object(object) { [weak runtime] contents in
            guard let runtime else { throw ActorError(.runtimeStopped, "the runtime has been shut down") }
            return try contents.value(as: Value.self, on: runtime)
        }
    }

    /// What other processes know it as.
    private var object: HeldObject {
        switch source {
        case .object(let object, _):
            return object
        case .submission(let settlement):
            let (object, isNew) = settlement.exported {
                store.make(name) { [weak settlement] kind in settlement?.cancel(kind) }
            }
            if isNew {
                _ = settlement.observe { [weak object] result in
                    object?.settle(result)
                }
            }
            return object
        }
    }
}

extension ObjectRef {
    /// How the call ended, if it has.
    var outcome: Result<Value, any Error>? {
        switch source {
        case .submission(let settlement): settlement.outcome
        case .object(let object, let decode):
            object.contents.outcome?.flatMap { contents in Result { try decode(contents) } }
        }
    }

    /// Has the observer told once whether the call failed, at once when it has ended already.
    /// - Returns: What takes the observer away again; `nil` when it was told.
    func observeEnd(_ observer: @escaping @Sendable (_ isFailure: Bool) -> Void) -> (@Sendable () -> Void)? {
        switch source {
        case .submission(let settlement):
            return settlement.watch { observer($0.isFailure) }
        case .object(let object, _):
            return object.contents.watch { observer((try? $0.get().isFailure) ?? true) }
        }
    }

    /// Waits until the call has ended or the time is over.
    func end(timeout: Duration?) async throws {
        try timeout.checkTimeout()
        let shot = OneShot<Void>()
        let registration = observeEnd { _ in shot.settle(()) }
        defer { registration?() }
        _ = try await shot.wait(timeout: timeout)
    }
}

/// A reference among a call's arguments: the call is made when it is ready.
protocol CallDependency: Sendable {
    /// Whether the value, or the error, is there.
    var isReady: Bool { get }
    /// Waits until the value is there.
    /// - Throws: The error that it will never be there for; `timedOut` when the time is over.
    func ready(timeout: Duration?) async throws
}

extension ObjectRef: CallDependency {
    func ready(timeout: Duration?) async throws {
        try await end(timeout: timeout)
        switch source {
        case .submission(let settlement):
            if case .failure(let error)? = settlement.outcome { throw error }
        case .object(let object, let decode):
            // Decoding it gives the error; a value is left where it is.
            if let contents = try object.contents.outcome?.get(), contents.isFailure { _ = try decode(contents) }
        }
        guard isReady else { throw ActorError(.timedOut, "an argument of the call was not ready in time") }
    }
}

extension Settlement {
    /// Like ``observe(_:)``, with what ends it.
    fileprivate func watch(_ observer: @escaping @Sendable (Outcome) -> Void) -> (@Sendable () -> Void)? {
        guard let number = observe(observer) else { return nil }
        return { self.forget(number) }
    }
}

extension Result {
    fileprivate var isFailure: Bool {
        if case .failure = self { true } else { false }
    }
}
