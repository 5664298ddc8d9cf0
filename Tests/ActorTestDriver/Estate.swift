import DurableActors
import Glibc

/// Runs until its worker ends.
struct EndlessTask: RemoteTask {
    func run(on runtime: ActorRuntime) async throws -> Int {
        while true { try await Task.sleep(for: .seconds(3600)) }
    }
}

/// Has actors of its own, one of them in a placement group, a task that runs, and two detached actors, `driven` with 3
/// and `other` with 5; all hold resources. Prints the processes of its own and those of the detached actors, with
/// commas, the supervisor's, and the processors that are free; then waits to be killed or for end of input.
func makeEstate(in directory: String) async throws {
    var configuration = RuntimeConfiguration()
    configuration.resources = Resources(cpu: 8, gpu: 2, memory: 1 << 30, custom: ["licence": 2])
    let runtime = try await ActorRuntime.start(directory: directory, configuration: configuration)
    let group = try await runtime.placementGroup(bundles: [Resources(cpu: 1), Resources(cpu: 0.5)])
    var owned: [DrivenCounter] = []
    for options in [
        ActorOptions.resilient.resources(cpu: 1, gpu: 1),
        .resilient.resources(cpu: 1, memory: 1 << 20),
        .default.resources(cpu: 0.5, custom: ["licence": 1]),
        .resilient.resources(cpu: 1).scheduled(group.strategy(bundle: 0)),
    ] {
        owned.append(try await runtime.spawn(DrivenCounter.self, options: options))
    }
    var processes: [Int32] = []
    for counter in owned {
        _ = try await counter.add(1)
        processes.append(try await counter.processID())
    }
    let task = runtime.submit(EndlessTask())
    while processes.count == owned.count {
        if let worker = try await runtime.taskWorkers().first?.processID { processes.append(worker) }
    }
    var detached: [Int32] = []
    for (name, gpu, value) in [("driven", 1.0, 3), ("other", 0.0, 5)] {
        let options = ActorOptions.resilient.resources(cpu: 1, gpu: gpu)
        let counter = try await runtime.getOrCreate(DrivenCounter.self, name: name, options: options)
        _ = try await counter.add(value)
        detached.append(try await counter.processID())
    }
    let free = try await runtime.nodes().first?.available["cpu"] ?? 0
    let lists = [processes, detached].map { $0.map(String.init).joined(separator: ",") }
    print(lists.joined(separator: " "), runtime.supervisorProcessID ?? 0, free)
    fflush(nil)
    while readLine() != nil {}
    task.cancel()
    await runtime.shutdown()
}
