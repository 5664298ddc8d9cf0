import DurableActors
import Glibc
import Testing

/// Retries after errors that the method itself throws.
@Suite(.serialized, .timeLimit(.minutes(2))) struct ThrownRetryTests {
    /// An actor, and a call to it that notes its attempts in a file of its own.
    private func withFlaky(
        _ options: ActorOptions = ActorOptions(maxRestarts: .unlimited, maxTaskRetries: 5),
        _ body: (Flaky, _ log: String) async throws -> Void
    ) async throws {
        let scratch = ScratchDirectory()
        return try await ActorRuntime.withRuntime { runtime in
            try await body(try await runtime.spawn(Flaky.self, options: options), scratch.file("log"))
        }
    }

    @Test func `RST-10: a method that throws is run once, however many retries there are`() async throws {
        try await withFlaky { (flaky, log) async throws in
            await #expect(throws: Refusal(reason: "attempt 1")) { try await flaky.run([.refuse], log) }
            #expect(Attempts.count(in: log) == 1)
        }
    }

    @Test func `RST-11: a listed error is retried, and the result of the sixth attempt arrives`() async throws {
        try await withFlaky { (flaky, log) async throws in
            let plan = Array(repeating: Flaky.Step.refuse, count: 5)
            #expect(try await flaky.with(.retryOn([Refusal.self])) { try await $0.run(plan, log) } == 6)
            #expect(Attempts.count(in: log) == 6)
            #expect(try await flaky.attempts() == 6, "each attempt keeps what it changed")
        }
    }

    @Test func `RST-11: a listed error of the last attempt is the outcome`() async throws {
        try await withFlaky { (flaky, log) async throws in
            let plan = Array(repeating: Flaky.Step.refuse, count: 6)
            await #expect(throws: Refusal(reason: "attempt 6")) {
                try await flaky.with(.retryOn([Refusal.self])) { try await $0.run(plan, log) }
            }
            #expect(Attempts.count(in: log) == 6)
        }
    }

    @Test func `RST-11: an error that is not listed is not retried`() async throws {
        try await withFlaky { (flaky, log) async throws in
            await #expect(throws: Busy.self) {
                try await flaky.with(.retryOn([Refusal.self])) { try await $0.run([.refuse, .refuse, .busy], log) }
            }
            #expect(Attempts.count(in: log) == 3)
        }
    }

    @Test func `a class of errors stands for those below it, and all for those that do not travel too`() async throws {
        try await withFlaky { (flaky, log) async throws in
            #expect(try await flaky.with(.retryOn([Busy.self])) { try await $0.run([.veryBusy, .busy], log) } == 3)
            #expect(
                try await flaky.with(.retryOn(.all)) { try await $0.run([.plain, .busy, .refuse], "\(log)2") } == 4
            )
        }
    }

    @Test func `deaths and thrown errors share the retries`() async throws {
        try await withFlaky(ActorOptions(maxRestarts: .unlimited)) { (flaky, log) async throws in
            let plan: [Flaky.Step] = [.die, .refuse, .die, .refuse]
            let options = CallOptions.retryOn([Refusal.self], maxTaskRetries: 3)
            await #expect(throws: Refusal(reason: "attempt 4")) {
                try await flaky.with(options) { try await $0.run(plan, log) }
            }
            let error = await failure {
                _ = try await flaky.with(options) { try await $0.run([.refuse, .refuse, .die, .die], "\(log)2") }
            }
            #expect(error?.code == .unavailable)
            #expect(Attempts.count(in: "\(log)2") == 4)
            #expect(try await flaky.with(options) { try await $0.run([.refuse, .die, .refuse], "\(log)3") } == 4)
        }
    }

    @Test func `calls that are retried together all come through, and a reference has the last outcome`() async throws {
        try await withFlaky { (flaky, log) async throws in
            let refs = (0..<20).map { _ in
                flaky.submit(.retryOn([Refusal.self], maxTaskRetries: .unlimited)) { try await $0.runAlternating(log) }
            }
            for ref in refs { try await ref.value }
            #expect(try await flaky.attempts() == Attempts.count(in: log))
        }
    }

    @Test func `a call with a key has one outcome and cannot be retried on errors`() async throws {
        try await withFlaky { (flaky, log) async throws in
            var options = CallOptions.idempotencyKey("once")
            options.retryOn = .all
            let refused = options
            let error = await failure { _ = try await flaky.with(refused) { try await $0.run([], log) } }
            #expect(error?.code == .invalidArgument)
            #expect(error?.message.contains("idempotencyKey") == true)
            #expect(Attempts.count(in: log) == 0)
        }
    }

    @Test func `RST-11: a type's options for a method count unless a call says otherwise`() async throws {
        try await withFlaky { (flaky, log) async throws in
            #expect(try await flaky.runHard([.refuse, .busy, .refuse], log) == 4)
            let tooMany = Array(repeating: Flaky.Step.refuse, count: 9)
            await #expect(throws: Refusal(reason: "attempt 4")) { try await flaky.runHard(tooMany, "\(log)2") }
            #expect(try await flaky.with(.maxTaskRetries(9)) { try await $0.runHard(tooMany, "\(log)3") } == 10)
            await #expect(throws: Refusal(reason: "attempt 2")) {
                try await flaky.with(.maxTaskRetries(1)) { try await $0.runHard(tooMany, "\(log)4") }
            }
            await #expect(throws: Refusal(reason: "attempt 1")) {
                try await flaky.with(.retryOn(.never)) { try await $0.runHard(tooMany, "\(log)5") }
            }
            await #expect(throws: Refusal(reason: "attempt 1")) {
                try await flaky.with(.idempotencyKey("once")) { try await $0.runHard(tooMany, "\(log)6") }
            }
            let error = await failure { _ = try await flaky.runHard([.die, .die, .die, .die, .die], "\(log)7") }
            #expect(error?.code == .unavailable)
            #expect(Attempts.count(in: "\(log)7") == 4)
        }
    }

    @Test func `a retried turn makes its own calls again as the same ones, with the retries that they had`()
        async throws
    {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime { runtime in
            let outer = try await runtime.spawn(Flaky.self, options: .resilient)
            let inner = try await runtime.spawn(Flaky.self, options: .resilient)
            let log = scratch.file("log")
            #expect(try await outer.runThenDie(inner, [.refuse, .refuse], log, deaths: 2) == 3)
            #expect(Attempts.count(in: "\(log)-deaths") == 3)
            #expect(try await inner.attempts() == 3)
        }
    }
}

/// An error with kinds.
// SAFETY: it has no state.
class Busy: Error, Codable, @unchecked Sendable {}

/// One of its kinds.
// SAFETY: it has no state.
final class VeryBusy: Busy, @unchecked Sendable {}

/// Fails as told, one step for each attempt.
distributed actor Flaky: DurableActor {
    enum Step: Codable, Sendable {
        case refuse, busy, veryBusy, plain, die
    }

    @Checkpointed private var attemptsMade = 0

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func run(_ plan: [Step], _ log: String) throws -> Int {
        let attempt = Attempts.note(in: log)
        attemptsMade += 1
        guard plan.indices.contains(attempt - 1) else { return attempt }
        switch plan[attempt - 1] {
        case .refuse: throw Refusal(reason: "attempt \(attempt)")
        case .busy: throw Busy()
        case .veryBusy: throw VeryBusy()
        case .plain: throw PlainError()
        case .die: raise(SIGKILL)
        }
        return attempt
    }

    static var methodOptions: [String: MethodOptions] {
        ["runHard(_:_:)": MethodOptions(maxTaskRetries: 3, retryOn: .all)]
    }

    /// Like `run`, whose options it does not have.
    distributed func runHard(_ plan: [Step], _ log: String) throws -> Int { try run(plan, log) }

    /// Refuses every second attempt, whoever makes it.
    distributed func runAlternating(_ log: String) throws {
        attemptsMade += 1
        if Attempts.note(in: log) % 2 == 1 { throw Refusal(reason: "odd") }
    }

    /// Has another one run, and dies so often before it can say so.
    distributed func runThenDie(_ other: Flaky, _ plan: [Step], _ log: String, deaths: Int) async throws -> Int {
        let result = try await other.with(.retryOn([Refusal.self])) { try await $0.run(plan, log) }
        if Attempts.note(in: "\(log)-deaths") <= deaths { raise(SIGKILL) }
        return result
    }

    distributed func attempts() -> Int { attemptsMade }
}
