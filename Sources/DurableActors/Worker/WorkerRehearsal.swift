internal import CBOR
internal import DurableCore

/// Does once, in a spare that has time, what the first life of a worker would have to wait for: the first use of a
/// type makes its metadata and looks up its conformances, which takes longer than the work itself.
enum WorkerRehearsal {
    static func run() {
        let record = ActorRecord(
            id: ActorID(high: 0, low: 0),
            typeName: "",
            typeDescription: "",
            arguments: [],
            options: .default,
            owner: .detached,
            executable: "",
            shard: 0
        )
        let assignment = Assignment(
            record: record,
            incarnation: 0,
            directory: "",
            configuration: WorkerConfiguration(gracePeriodSeconds: 0)
        )
        // Nothing depends on the outcome.
        let command = try? CBOREncoder().encode(WorkerCommand.assign(assignment))
        _ = try? CBORDecoder().decode(WorkerCommand.self, from: command ?? [])
        _ = try? CBOREncoder().encode(WorkerReport.serving(0, 0, 0))
        _ = try? CBORDecoder().decode(NoArguments.self, from: CBOREncoder().encode(NoArguments()))
        _ = Mirror(reflecting: assignment).children.first?.value as? any CheckpointedStorage
    }
}
