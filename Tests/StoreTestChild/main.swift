import DurableCore
import DurableLMDB
import DurableStore
import Glibc

// A second process for the tests: does one thing to a shard and says on standard output how it went.

/// One line, written at once so that it is out even if the process is killed right after.
func say(_ line: String) {
    let bytes = Array((line + "\n").utf8)
    _ = bytes.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
}

/// Takes the shard and says its epoch.
func claim(_ directory: String) throws(StoreError) {
    let store = try ShardStore.open(directory: directory, durability: .process)
    defer { store.close() }
    say("epoch \(try store.claim(pid: getpid(), incarnation: 7))")
}

/// Takes the shard, and stays within its transaction until there is a line on standard input.
func claimWhenTold(_ directory: String) throws(StoreError) {
    let store = try ShardStore.open(directory: directory, durability: .process) { point in
        guard point == .workerInsideClaim else { return }
        say("inside")
        _ = readLine()
    }
    defer { store.close() }
    _ = try store.claim(pid: getpid(), incarnation: 7)
}

/// Reads the shard as a tool does and says what it holds, a line each.
func read(_ directory: String) throws(StoreError) {
    let (fence, actors) = try ShardReader.read(directory)
    say("fence \(fence.map { "\($0.epoch) \($0.version) \($0.incarnation)" } ?? "none")")
    for actor in actors {
        say("actor \(actor.id) \(actor.actor.type) \(actor.actor.name ?? "-") completions \(actor.completions)")
        for (name, field) in actor.fields.sorted(by: { $0.key < $1.key }) {
            guard case .value(let value) = field.property else { continue }
            say("field \(name) \(value)")
        }
    }
}

/// Stores 1 in two properties of an actor, then 2, and dies by SIGKILL in the second transaction or right after it.
func commitAndDie(_ directory: String, isInside: Bool) throws(StoreError) {
    let actor = ActorID(high: 1, low: 2)
    var commits = 0
    let store = try ShardStore.open(directory: directory, durability: .disk) { point in
        if point == .workerInsideCommit { commits += 1 }
        if isInside, commits == 2 { kill(getpid(), SIGKILL) }
    }
    _ = try store.claim(pid: getpid(), incarnation: 1)
    func set(_ number: UInt8) -> WriteSet {
        let call = CallID(session: SessionID(high: 3, low: 4), sequence: UInt64(number))
        return WriteSet(
            actor: actor,
            changes: [.property("a", .value([number])), .property("b", .value([number]))],
            completion: Completion(id: call, firstIncomplete: 0, fingerprint: 0, outcome: .returned([number]))
        )
    }
    try store.register(actor, as: StoredActor(type: "T", typeName: "1T", name: nil), state: set(1))
    try store.commit([set(2)])
    kill(getpid(), SIGKILL)
}

/// Reads from one view of the shard, and dies with it.
func readAndDie(_ directory: String) throws(StoreError) {
    do throws(LMDBError) {
        let view = try FileView.open(directory, expecting: ShardLayout.storeFormat)
        _ = ShardVerifier.verify(view)
        kill(getpid(), SIGKILL)
        _ = view.transaction
    } catch {
        throw StoreError(.failed, error.message)
    }
}

do throws(StoreError) {
    guard CommandLine.arguments.count == 3 else { throw StoreError(.failed, "a command and a directory are needed") }
    let directory = CommandLine.arguments[2]
    switch CommandLine.arguments[1] {
    case "claim": try claim(directory)
    case "claim-when-told": try claimWhenTold(directory)
    case "read": try read(directory)
    case "die-reading": try readAndDie(directory)
    case "die-inside-commit": try commitAndDie(directory, isInside: true)
    case "die-after-commit": try commitAndDie(directory, isInside: false)
    default: throw StoreError(.failed, "unknown command")
    }
    say("done")
} catch {
    say("failed \(error.code): \(error)")
}
