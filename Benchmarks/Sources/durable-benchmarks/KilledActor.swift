internal import DurableActors
internal import DurableBench
internal import Glibc

/// An actor that is killed again and again, and what is known of it from its answers.
final class KilledActor {
    private let actor: BenchmarkActor
    private var last: BenchmarkActor.Answer

    init(_ runtime: ActorRuntime, _ durability: Durability) async throws {
        var options = ActorOptions.resilient
        options.durability = durability
        actor = try await runtime.spawn(BenchmarkActor.self, options: options)
        last = try await actor.incrementHere()
    }

    /// Kills the actor's process, submits a change, and waits for its reply.
    /// - Returns: Nanoseconds from before the kill until after the reply.
    /// - Throws: Also when the reply shows that the process lived on, or that a change was lost or made twice.
    func killAndCall() async throws -> UInt64 {
        let before = last
        let start = nanoseconds()
        guard kill(before.processID, SIGKILL) == 0 else { throw BenchmarkError("killing a worker", code: errno) }
        let answer = try await actor.submit { try await $0.incrementHere() }.value
        let duration = nanoseconds() - start
        guard answer.processID != before.processID else {
            throw BenchmarkError("process \(before.processID) answered after it was killed")
        }
        guard answer.value == before.value + 1 else {
            throw BenchmarkError("the value was \(before.value), and after a kill and one change it is \(answer.value)")
        }
        last = answer
        return duration
    }
}
