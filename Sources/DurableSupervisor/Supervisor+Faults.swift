internal import DurableCore
internal import DurableProcess
internal import DurableTransport
internal import Glibc
internal import Synchronization

/// Faults that somebody wants to see.
extension Supervisor {
    /// Tells a process what is to happen to it, and remembers which deaths are meant. It is answered when the process
    /// has taken it up or has ended, or does neither for long, as one that stands still.
    func inject(_ order: FaultOrder, _ answer: @escaping @Sendable (SupervisorResponse) -> Void) {
        if order.pid == getpid() {
            // Of these one concerns it: the time that it enters into the ledger.
            if let fault = order.fault, fault.kind == .jumpClock || fault.kind == .calm {
                LiveFaults.current.arm(fault)
            }
            return answer(.done)
        }
        guard let worker = pool.workers[order.pid], worker.identity.startTime == order.startTime else {
            return answer(.failed(ActorError(.notFound, "process \(order.pid) is no worker of this runtime")))
        }
        if order.isFatal { worker.isStruck = true }
        guard let fault = order.fault else { return answer(.done) }
        let pending = PendingAnswer(answer)
        worker.faultWaiters.append { pending.done() }
        send(.inject(fault), to: worker)
        loop.schedule(after: Limits.faultPatience) { pending.done() }
    }
}

/// An answer that is given once, by whatever comes first.
private final class PendingAnswer: Sendable {
    private let isOpen = Atomic(true)
    private let answer: @Sendable (SupervisorResponse) -> Void

    init(_ answer: @escaping @Sendable (SupervisorResponse) -> Void) { self.answer = answer }

    func done() {
        if isOpen.exchange(false, ordering: .relaxed) { answer(.done) }
    }
}
