import DurableActors
import Glibc

/// Kills one actor's worker over and over and prints, as `key=value` words: the changes that were acknowledged and
/// those that the actor has, its restarts, and the descriptors of driver and supervisor after a tenth and at the end.
func storm(kills: Int) async throws {
    let runtime = try await ActorRuntime.start()
    var options = ActorOptions.resilient
    options.durability = .process
    let counter = try await runtime.spawn(DrivenCounter.self, options: options)
    var acknowledged = try await counter.add(0)
    guard let supervisor = runtime.supervisorProcessID else { return }
    var before = (0, 0)
    var victim: Int32 = 0
    for round in 1...kills {
        // The registry may still name the last victim, whose end it has not seen.
        let last = victim
        while victim == last { victim = try await runtime.actors().first?.processID ?? last }
        let refs = (0..<4).map { _ in counter.submit { try await $0.add(1) } }
        kill(victim, SIGKILL)
        for ref in refs {
            _ = try await ref.value
            acknowledged += 1
        }
        if round == kills / 10 { before = (descriptors(of: getpid()), descriptors(of: supervisor)) }
    }
    let value = try await counter.add(0)
    let restarts = try await runtime.actors().first?.restarts ?? 0
    let after = (descriptors(of: getpid()), descriptors(of: supervisor))
    print(
        "acknowledged=\(acknowledged) value=\(value) restarts=\(restarts) supervisor=\(supervisor)",
        "ours=\(after.0 - before.0) theirs=\(after.1 - before.1)"
    )
    fflush(nil)
    // The test looks at the processes now, and closes the input.
    while readLine() != nil {}
    await runtime.shutdown()
}

private func descriptors(of pid: Int32) -> Int {
    guard let stream = opendir("/proc/\(pid)/fd") else { return 0 }
    defer { closedir(stream) }
    var count = 0
    while readdir(stream) != nil { count += 1 }
    return count
}
