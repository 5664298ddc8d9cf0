internal import DurableCore

/// One run of a task in its worker, carried by the Swift task that it runs in and by its children.
final class TaskRun: Sendable {
    @TaskLocal static var current: TaskRun?

    /// What its code has from whoever submitted the task.
    let scope: TaskScope
    private let name: CallKey?
    private let firstSent: UInt64
    private let lease: UInt64
    private let turn: Turn?
    private let children = ChildCalls()

    /// - Parameters:
    ///   - order: What is run.
    ///   - lease: How long records of its calls are kept, if nobody releases them before.
    ///   - turn: The worker's turn that it runs in.
    init(_ order: TaskOrder, lease: UInt64, in turn: Turn?) {
        scope = order.scope
        name = order.name
        firstSent = order.firstSent
        self.lease = lease
        self.turn = turn
    }

    /// Whether what the task waits for is cancelled together with it.
    var cancelsCalls: Bool { turn?.cancelsCalls == true }

    /// A call that the task makes gets a key that follows from the task's name, so that it is the same call when the
    /// task is run again. None is needed, and `nil` returned, when nobody would run it again.
    func beginChild(
        of actor: ActorID,
        _ method: String,
        _ arguments: @autoclosure () throws -> [[UInt8]]
    ) rethrows -> ChildCall? {
        guard let name else { return nil }
        let arguments = try arguments()
        return children.begin(of: actor, retentionMilliseconds: lease, firstSent: firstSent) { number in
            CallKey(task: name, actor: actor, method: method, arguments: arguments, number: number)
        }
    }

    /// The run is over. Returns the records of its calls, which are needed no more when it is not run again.
    func end() -> [ActorID: [CallKey]] { children.end().released }
}

/// What a task's code has from whoever submitted it.
struct TaskScope: Codable, Sendable {
    /// That of the task that runs; `nil` outside of tasks.
    static var current: TaskScope? { TaskRun.current?.scope }

    /// Where names are looked up and made.
    var namespace: String
    /// Whose the actors are that it makes.
    var owner: Owner
}

/// How a run of a task ended.
struct TaskEnd: Codable, Sendable {
    var outcome: CallOutcome
    /// Whether actors keep records of its calls.
    var hasRecords: Bool
}
