import DurableActors
import Glibc

/// Ends its process after every ten tasks. Its counter is not checkpointed, so each life starts at 0.
distributed actor Flaky: DurableActor {
    var counter = 0

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
    }

    distributed func incrementAndPossiblyFail() -> Int {
        if counter == 10 { _exit(0) }
        counter += 1
        return counter
    }
}

/// The same with a checkpointed counter: it goes on where the last life was.
distributed actor FlakyButDurable: DurableActor {
    @Checkpointed var counter = 0
    var tasks = 0

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
    }

    distributed func incrementAndPossiblyFail() -> Int {
        if tasks == 10 { _exit(0) }
        tasks += 1
        counter += 1
        return counter
    }
}

func processFailure(_ runtime: ActorRuntime, _ notebook: Notebook) async throws {
    notebook.begin("Actor process failure")
    let options = ActorOptions(maxRestarts: 4, maxTaskRetries: .unlimited)
    let flaky = try await runtime.spawn(Flaky.self, options: options)
    var values: [Int] = []
    for _ in 0..<50 { values.append(try await flaky.incrementAndPossiblyFail()) }
    for life in 0..<5 { print("        ", values[life * 10..<life * 10 + 10].map(String.init).joined(separator: " ")) }
    notebook.check("50 calls over five lives print 1 to 10 five times", values == (0..<50).map { $0 % 10 + 1 })

    var failures = 0
    for _ in 0..<10 {
        do {
            _ = try await flaky.incrementAndPossiblyFail()
        } catch let error as ActorError where error.code == .died {
            failures += 1
        }
    }
    notebook.check("after four restarts each of ten calls fails: the actor has died", failures == 10)

    let durable = try await runtime.spawn(FlakyButDurable.self, options: options)
    values = []
    for _ in 0..<50 { values.append(try await durable.incrementAndPossiblyFail()) }
    notebook.check("with a checkpointed counter the same calls print 1 to 50", values == Array(1...50))
}
