import DurableActors
import DurableChaos
import Glibc

/// Keeps a list for each key.
distributed actor ListKeeper: DurableActor {
    @Checkpointed var lists = CheckpointedDictionary<String, [String]>()

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    /// Returns the entry's place, counted from 1.
    distributed func append(_ entry: String, to key: String) -> Int {
        lists[key, default: []].append(entry)
        return lists[key]?.count ?? 0
    }

    distributed func list(_ key: String) -> [String] { lists[key] ?? [] }
}

/// One client of a history: appends to lists and reads them, some calls at a time, until the file `<log>.stop` is there or its
/// input ends.
///
/// A line of the log is `begin <id> <time> append|read <actor>/<key>`, `end <id> <time> <count> <entry>` with what the
/// call saw, or `fail <id> <error>`. The entry that a call appends is its id.
func makeHistory(in directory: String, client: String, log: String, seed: UInt64) async throws {
    print("ready")
    fflush(nil)
    let runtime = try await ActorRuntime.start(directory: directory)
    let keepers = try await listKeepers(runtime)
    await withTaskGroup(of: Void.self) { group in
        for lane in 0..<4 {
            group.addTask {
                var generator = SeededGenerator(seed: seed &+ UInt64(lane))
                var count = 0
                while access(log + ".stop", F_OK) != 0, isInputOpen() {
                    count += 1
                    let actor = Int.random(in: 0..<keepers.count, using: &generator)
                    let key = "key-\(Int.random(in: 0..<2, using: &generator))"
                    let isRead = Int.random(in: 0..<3, using: &generator) == 0
                    await makeEntry("\(client).\(lane).\(count)", in: keepers[actor], "\(actor)", key, isRead, log)
                }
            }
        }
    }
    await runtime.shutdown()
}

/// Prints every list: its name and its entries, with commas between them.
func printLists(in directory: String) async throws {
    let runtime = try await ActorRuntime.start(directory: directory)
    var lists: [String] = []
    for (actor, keeper) in try await listKeepers(runtime).enumerated() {
        for key in ["key-0", "key-1"] {
            lists.append((["\(actor)/\(key)"] + (try await keeper.list(key))).joined(separator: ","))
        }
    }
    print(lists.joined(separator: " "))
    fflush(nil)
    while readLine() != nil {}
    await runtime.shutdown()
}

/// One has a worker of its own, two share one.
private func listKeepers(_ runtime: ActorRuntime) async throws -> [ListKeeper] {
    var keepers: [ListKeeper] = []
    for number in 0..<3 {
        let options = number == 0 ? ActorOptions.resilient : .resilient.shared("keepers")
        keepers.append(try await runtime.getOrCreate(ListKeeper.self, name: "keeper-\(number)", options: options))
    }
    return keepers
}

private func makeEntry(
    _ id: String,
    in keeper: ListKeeper,
    _ actor: String,
    _ key: String,
    _ isRead: Bool,
    _ log: String
) async {
    note("begin \(id) \(nanoseconds()) \(isRead ? "read" : "append") \(actor)/\(key)", in: log)
    do {
        if isRead {
            let list = try await keeper.list(key)
            note("end \(id) \(nanoseconds()) \(list.count) \(list.last ?? "-")", in: log)
        } else {
            let place = try await keeper.append(id, to: key)
            note("end \(id) \(nanoseconds()) \(place) \(id)", in: log)
        }
    } catch {
        note("fail \(id) \(error)", in: log)
    }
}

/// Whether the process that started this one can still end it.
private func isInputOpen() -> Bool {
    var input = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
    return poll(&input, 1, 0) == 0
}

/// The same clock in all processes of the machine.
private func nanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

private func note(_ line: String, in path: String) {
    let file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    defer { close(file) }
    _ = "\(line)\n".withCString { write(file, $0, strlen($0)) }
}
