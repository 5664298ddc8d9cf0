internal import CBOR
internal import Distributed
internal import DurableCore
internal import DurableProcess
internal import Glibc

/// Runs remote tasks: an actor without state of its own, alone in its process, made and used by the framework only.
distributed actor TaskWorker: DurableActor {
    /// The process whose tasks it runs. Not its owner: an actor's next life has another process, and other workers.
    struct Employer: Codable, Sendable {
        private var pid: Int32
        private var startTime: UInt64

        /// This process.
        static func current() throws -> Employer {
            guard let process = try? ProcessHandle.adopt(peer: getpid()) else {
                throw ActorError(.internalError, "this process cannot be found among the processes")
            }
            return Employer(pid: process.pid, startTime: process.startTime)
        }

        fileprivate func process() throws -> ProcessHandle {
            guard let process = try ProcessHandle.adopt(pid: pid, startTime: startTime) else {
                throw ActorError(.runtimeStopped, "the process whose tasks were to be run has ended")
            }
            return process
        }
    }

    /// What it is called wherever actors are listed. No type of a user has such a name.
    static let title = "task worker"

    /// Nothing is stored, and a worker that died is replaced by another one instead of a next life.
    static var options: ActorOptions { ActorOptions(durability: .none) }

    /// Those of the calls that the last run made.
    private var records: [ActorID: [CallKey]] = [:]

    init(_ employer: Employer, actorSystem: ActorRuntime) async throws {
        self.actorSystem = actorSystem
        let id = id
        let process = try employer.process()
        // Ends with this process, at the latest when the employer has ended.
        Task.detached {
            try await onOwnThread { () throws(ActorError) in
                while !process.waitUntilEnded(for: .seconds(60)) {}
            }
            // Should the supervisor not answer, it is gone or going, and this process ends by itself.
            _ = try? await actorSystem.ask(.kill(id, noRestart: true))
        }
    }

    /// Runs a task outside of any turn: its code is not an actor's.
    distributed func run(_ order: TaskOrder) async -> TaskEnd {
        let runtime = actorSystem
        let run = TaskRun(order, lease: runtime.sessionLeaseMilliseconds, in: Turn.current)
        let outcome = await Turn.$current.withValue(nil) {
            await TaskRun.$current.withValue(run) { await order.carryOut(on: runtime) }
        }
        records = run.end()
        return TaskEnd(outcome: outcome, hasRecords: !records.isEmpty)
    }

    /// The last run's outcome has arrived, so that it is not run again: nobody asks for the records of its calls.
    distributed func releaseRecords() {
        for (actor, keys) in records { actorSystem.calls.channel(to: actor).release(keys) }
        records = [:]
    }
}

/// A task on its way to a worker.
struct TaskOrder: Codable, Sendable {
    private let typeName: String
    /// The type's name, for people.
    let title: String
    private let task: [UInt8]
    let scope: TaskScope
    /// Names the task over its runs; `nil` when it is run once.
    var name: CallKey?
    /// When it was first sent, if this is not the first time; 0 otherwise.
    var firstSent: UInt64 = 0
    /// What the task refers to, for whom submitted it to keep meanwhile.
    private(set) var references: [HeldObject] = []

    private enum CodingKeys: CodingKey { case typeName, title, task, scope, name, firstSent }

    init(_ task: some RemoteTask, _ scope: TaskScope) throws {
        let type = type(of: task)
        guard let typeName = _mangledTypeName(type), _typeByName(typeName) != nil else {
            let message = "the task type \(type) cannot be found by name in a worker; declare it outside of functions"
            throw ActorError(.invalidArgument, message)
        }
        self.typeName = typeName
        self.scope = scope
        title = String(describing: type)
        do {
            var bytes: [UInt8] = []
            references = try EncodedReferences.collect { bytes = try CBOREncoder().encode(task) }
            self.task = bytes
        } catch {
            throw ActorError(.serialization, "the task \(type) cannot be encoded", cause: "\(error)")
        }
    }

    fileprivate func carryOut(on runtime: ActorRuntime) async -> CallOutcome {
        // Only a type that is a task is ever made from a name that a caller sent.
        guard let type = _typeByName(typeName) as? any RemoteTask.Type else {
            return .failed(ActorError(.unknownMethod, "this executable has no task type \(title)"))
        }
        return await perform(type, on: runtime)
    }

    private func perform<Work: RemoteTask>(_ type: Work.Type, on runtime: ActorRuntime) async -> CallOutcome {
        let work: Work
        do {
            work = try runtime.decoder.decode(type, from: task)
        } catch {
            return .failed(ActorError(.serialization, "the task \(title) cannot be read", cause: "\(error)"))
        }
        let output: Work.Output
        do {
            output = try await work.run(on: runtime)
        } catch is CancellationError where Task.isCancelled {
            return .failed(ActorError(.cancelled, "the task \(title) was cancelled while it ran"))
        } catch {
            return CallOutcome(throwing: error)
        }
        do {
            var bytes: [UInt8] = []
            // What it refers to is kept for a while after this.
            _ = try EncodedReferences.collect { bytes = try CBOREncoder().encode(output) }
            return .returned(bytes)
        } catch {
            return .failed(ActorError(.serialization, "the result of \(title) cannot be encoded", cause: "\(error)"))
        }
    }
}
