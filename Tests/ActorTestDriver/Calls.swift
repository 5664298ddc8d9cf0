import DurableActors
import Glibc

/// Counts, and has others count.
distributed actor StormCounter: DurableActor {
    @Checkpointed var value = 0

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
    }

    distributed func add(_ amount: Int) -> Int {
        value += amount
        return value
    }

    /// Changes nothing here.
    distributed func forward(_ amount: Int, to other: StormCounter) async throws -> Int {
        try await other.add(amount)
    }
}

/// One caller of a storm: adds one to each of four counters in turn, by a plain call, by a call with a key, or through
/// another actor, with some calls under way at a time. Prints how often it has called each, then their values.
func makeCalls(in directory: String, caller: String, count: Int) async throws {
    let runtime = try await ActorRuntime.start(directory: directory)
    var options = ActorOptions.resilient
    options.durability = .process
    var counters: [StormCounter] = []
    for name in ["a", "b", "c", "d"] {
        counters.append(try await runtime.getOrCreate(StormCounter.self, name: name, options: options))
    }
    let relay = try await runtime.getOrCreate(StormCounter.self, name: "relay", options: options)
    var made = [0, 0, 0, 0]
    var open: [ObjectRef<Int>] = []
    for number in 0..<count {
        let target = counters[number % 4]
        made[number % 4] += 1
        switch number % 10 {
        case 3:
            open.append(relay.submit { try await $0.forward(1, to: target) })
        case 7:
            let key = CallOptions.idempotencyKey("\(caller) \(number)", retention: .seconds(20))
            open.append(target.submit(key) { try await $0.add(1) })
        default:
            open.append(target.submit { try await $0.add(1) })
        }
        if open.count == 16 {
            for ref in open { _ = try await ref.value }
            open = []
        }
    }
    for ref in open { _ = try await ref.value }
    var values: [Int] = []
    for counter in counters { values.append(try await counter.add(0)) }
    print((made + values).map(String.init).joined(separator: " "))
    await runtime.shutdown()
}

/// Makes one call with a key and prints its result.
func callWithKey(in directory: String, key: String, amount: Int) async throws {
    let runtime = try await ActorRuntime.start(directory: directory)
    let counter = try await runtime.getOrCreate(DrivenCounter.self, name: "keyed")
    let value = try await counter.with(.idempotencyKey(key)) { try await $0.add(amount) }
    print(value)
    fflush(nil)
    while readLine() != nil {}
    await runtime.shutdown()
}

/// Submits calls before a termination and behind it, and prints how each ended.
func terminateCounter(in directory: String) async throws {
    let runtime = try await ActorRuntime.start(directory: directory)
    let counter = try await runtime.spawn(DrivenCounter.self, options: .resilient)
    let before = (1...5).map { _ in counter.submit { try await $0.add(1) } }
    let end = Task.immediate { try await runtime.terminate(counter) }
    let behind = (1...3).map { _ in counter.submit { try await $0.add(1) } }
    try await end.value
    var ends: [String] = []
    for ref in before + behind {
        do {
            ends.append("\(try await ref.value)")
        } catch {
            ends.append((error as? ActorError)?.code == .died ? "died" : "\(error)")
        }
    }
    print(ends.joined(separator: " "))
    fflush(nil)
    while readLine() != nil {}
    await runtime.shutdown()
}
