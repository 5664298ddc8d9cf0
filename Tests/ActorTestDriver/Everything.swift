import DurableActors
import Glibc

/// Gets large values by reference, and says things to stderr.
distributed actor Weigher: DurableActor {
    @Checkpointed var weighed = 0

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func weigh(_ load: ObjectRef<[UInt8]>) async throws -> Int {
        weighed += try await load.value.count
        _ = "weighed\n".withCString { write(STDERR_FILENO, $0, strlen($0)) }
        return weighed
    }

    distributed func processID() -> Int32 { getpid() }
}

/// Uses all that a runtime has: actors of each durability, groups, tasks, shared values, deaths of workers and of the
/// supervisor. Prints the directory, and waits for end of input.
func useEverything(umask mask: String, directory: String?) async throws {
    umask(mode_t(mask, radix: 8) ?? 0)
    var configuration = RuntimeConfiguration()
    configuration.snapshotInterval = .milliseconds(10)
    let runtime = try await ActorRuntime.start(directory: directory, configuration: configuration)
    var all: [DrivenCounter] = []
    for durability in [Durability.disk, .process, .none] {
        var options = ActorOptions.resilient
        options.durability = durability
        all.append(try await runtime.spawn(DrivenCounter.self, options: options))
    }
    for _ in 0..<2 { all.append(try await runtime.spawn(DrivenCounter.self, options: .resilient.shared("group"))) }
    for counter in all { _ = try await counter.add(1) }
    let weigher = try await runtime.spawn(Weigher.self, options: .resilient)
    let load = try runtime.put([UInt8](repeating: 7, count: 3 << 20))
    _ = try await weigher.weigh(load)
    _ = try await runtime.run(ProcessOfTask())
    for counter in all { kill(try await counter.processID(), SIGKILL) }
    for counter in all { _ = try await counter.add(1) }
    if let supervisor = runtime.supervisorProcessID { kill(supervisor, SIGKILL) }
    let late = try await runtime.spawn(Weigher.self, options: .resilient)
    _ = try await late.weigh(load)
    // What `.process` wrote is copied by the clock.
    let shards = "\(runtime.directory)/shards"
    let clock = ContinuousClock()
    let deadline = clock.now + .seconds(20)
    while access("\(shards)/2/snapshots", F_OK) != 0, clock.now < deadline {
        _ = try await all[1].add(1)
        try await clock.sleep(for: .milliseconds(5))
    }
    print(runtime.directory)
    fflush(nil)
    while readLine() != nil {}
    withExtendedLifetime(load) {}
    await runtime.shutdown()
}
