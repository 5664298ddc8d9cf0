import Distributed
import Synchronization

/// A distributed actor of another system, which workers have nothing to do with.
distributed actor Outsider {
    typealias ActorSystem = LocalTestingDistributedActorSystem

    /// How many there have been in this process.
    static let made = Atomic(0)

    init(actorSystem: ActorSystem) {
        self.actorSystem = actorSystem
        Outsider.made.add(1, ordering: .relaxed)
    }

    distributed func add(_ amount: Int) -> Int { amount }
}
