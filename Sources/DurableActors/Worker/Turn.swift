internal import DurableCore

/// The turn that a task belongs to: which actor runs which call. Carried by the task and by its children.
final class Turn: Sendable {
    @TaskLocal static var current: Turn?

    let actor: ActorHost
    /// The call; `nil` while the constructor runs.
    let call: CallID?
    /// The actor's generation when the turn began: when it has changed, what the turn has seen is not true any more.
    let generation: Int

    init(_ actor: ActorHost, call: CallID?, generation: Int) {
        self.actor = actor
        self.call = call
        self.generation = generation
    }
}
