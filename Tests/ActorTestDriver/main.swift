import DurableActors
import Glibc

// A driver in a process of its own, for tests that kill drivers. Arguments: directory, lifetime, additions.
// Prints the counter's value, the worker's process and the supervisor's, then waits to be killed or for end of input.

distributed actor DrivenCounter: DurableActor {
    @Checkpointed var value = 0

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
    }

    distributed func add(_ amount: Int) -> Int {
        value += amount
        return value
    }

    distributed func processID() -> Int32 { getpid() }
}

let arguments = CommandLine.arguments
if arguments[1] == "storm" {
    try await storm(kills: Int(arguments[2]) ?? 0)
    exit(0)
}
if arguments[1] == "hoard" {
    try await hoard(in: arguments[2])
    exit(0)
}
if arguments[1] == "calls" {
    try await makeCalls(in: arguments[2], caller: arguments[3], count: Int(arguments[4]) ?? 0)
    exit(0)
}
if arguments[1] == "terminate" {
    try await terminateCounter(in: arguments[2])
    exit(0)
}
if arguments[1] == "history" {
    try await makeHistory(in: arguments[2], client: arguments[3], log: arguments[4], seed: UInt64(arguments[5]) ?? 0)
    exit(0)
}
if arguments[1] == "lists" {
    try await printLists(in: arguments[2])
    exit(0)
}
if arguments[1] == "tasks" {
    try await runTasks(in: arguments[2])
    exit(0)
}
if arguments[1] == "estate" {
    try await makeEstate(in: arguments[2])
    exit(0)
}
if arguments[1] == "everything" {
    // Arguments: umask, directory or "-" for a temporary one. Prints the directory, and waits for end of input.
    try await useEverything(umask: arguments[2], directory: arguments[3] == "-" ? nil : arguments[3])
    exit(0)
}
if arguments[1] == "key" {
    try await callWithKey(in: arguments[2], key: arguments[3], amount: Int(arguments[4]) ?? 0)
    exit(0)
}
var configuration = RuntimeConfiguration()
if arguments[1] == "hold" {
    // Starts a runtime for others, and keeps it until the end of input.
    if arguments.count > 3, let milliseconds = Int(arguments[3]) {
        configuration.snapshotInterval = .milliseconds(milliseconds)
    }
    let held = try await ActorRuntime.start(directory: arguments[2], configuration: configuration)
    print("ready")
    fflush(nil)
    while readLine() != nil {}
    await held.shutdown()
    exit(0)
}
if arguments.count > 4, let milliseconds = Int(arguments[4]) { configuration.gracePeriod = .milliseconds(milliseconds) }
let runtime = try await ActorRuntime.start(directory: arguments[1], configuration: configuration)
let counter =
    if arguments[2] == "detached" {
        try await runtime.getOrCreate(DrivenCounter.self, name: "driven")
    } else {
        try await runtime.spawn(DrivenCounter.self, options: .resilient)
    }
var value = try await counter.add(0)
for _ in 0..<(Int(arguments[3]) ?? 0) { value = try await counter.add(1) }
print("\(value) \(try await counter.processID()) \(runtime.supervisorProcessID ?? 0)")
fflush(nil)
while readLine() != nil {}
await runtime.shutdown()
