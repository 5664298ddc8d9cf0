internal import CBOR
internal import Distributed
internal import DurableCore
internal import DurableProcess
internal import DurableSupervisor
internal import DurableTransport
internal import Glibc
internal import Synchronization

/// Does once, in a spare that has time, what the first life of a worker would have to wait for: the first use of code
/// loads its pages, resolves its symbols, makes the metadata of its types and looks up their conformances, which
/// takes several times as long as the work itself.
///
/// A spare hosts a specimen of an actor in a temporary directory and calls it, on a thread of its own that yields to
/// all others: an assignment that comes meanwhile does not wait. Nothing depends on the outcome.
final class WorkerRehearsal: Sendable {
    /// A shard that an actor has, another worker has again, and nobody else knows.
    private static let shard: ShardNumber = 1
    private static let lives: [Incarnation] = [2, 3]

    private let control: EventLoop
    private let directory: String
    private let actor: ActorID
    /// Where open turns are noted, for nobody.
    private let page: WorkerPage
    private let isOver = Mutex(false)

    private init(_ control: EventLoop) throws {
        self.control = control
        var generator = SystemRandomNumberGenerator()
        actor = ActorID(random: &generator)
        page = try WorkerPage()
        directory = try RehearsalDirectory.make()
    }

    /// Begins, when the spare has had nothing to do for a moment.
    /// - Parameters:
    ///   - control: The loop that hears the supervisor.
    ///   - isAssigned: Whether there is something real to do by now.
    static func begin(on control: EventLoop, unless isAssigned: @escaping @Sendable () -> Bool) {
        practiseMessages()
        control.schedule(after: Limits.rehearsalPause) {
            guard !isAssigned(), let rehearsal = try? WorkerRehearsal(control) else { return }
            rehearsal.perform(lives[...])
            control.schedule(after: Limits.rehearsalTime) { rehearsal.end() }
        }
    }

    /// The first messages of a worker, which come before anything else.
    private static func practiseMessages() {
        let command = try? CBOREncoder().encode(WorkerCommand.assign(assignment(ActorID(high: 0, low: 0), "", 0)))
        _ = try? CBORDecoder().decode(WorkerCommand.self, from: command ?? [])
        _ = try? CBOREncoder().encode(WorkerReport.serving(0, 0, 0))
    }

    private static func assignment(_ id: ActorID, _ directory: String, _ life: Incarnation) -> Assignment {
        var options = ActorOptions.resilient
        options.durability = .disk
        var record = ActorRecord(
            id: id,
            typeName: _mangledTypeName(RehearsalActor.self) ?? "",
            typeDescription: "RehearsalActor",
            // What cannot be encoded cannot be decoded either, and nothing is practised.
            arguments: (try? CBOREncoder().encode(NoArguments())) ?? [],
            options: options,
            owner: .detached,
            executable: "",
            shard: shard
        )
        record.incarnation = life
        record.worker = WorkerIdentity(pid: getpid(), startTime: 0, serial: 0)
        return Assignment(
            record: record,
            incarnation: life,
            directory: directory,
            configuration: WorkerConfiguration(gracePeriodSeconds: 0)
        )
    }

    /// Performs the first of these lives, and then the others.
    private func perform(_ lives: ArraySlice<Incarnation>) {
        guard let life = lives.first, !isOver.withLock(\.self) else { return end() }
        do {
            let loop = try EventLoop(name: "rehearsal")
            let layout = RuntimeLayout(directory: directory)
            let listener = try Listener.bind(path: layout.shardSocket(Self.shard), replacing: true)
            let link = SupervisorLink(
                loop: control,
                reconnection: SupervisorLink.Reconnection(lost: { _ in }, opened: { _ in }, received: { _, _, _ in })
            )
            let assignment = Self.assignment(actor, directory, life)
            let host = WorkerHost(
                assignment,
                listener: dup(listener.descriptor),
                page: page,
                loop: loop,
                link: link,
                isRehearsal: true
            )
            loop.start()
            loop.execute { [self] in
                OwnProcess.yieldToOthers()
                host.start()
                // Ends with the loop: what is not done by then is not needed.
                Task(executorPreference: loop) { [self] in
                    await call(host)
                    host.retire()
                    listener.close()
                    link.stop(ActorError(.runtimeStopped, "the rehearsal is over"))
                    loop.stop()
                    control.execute { self.perform(lives.dropFirst()) }
                }
            }
            control.schedule(after: Limits.rehearsalTime) { loop.stop() }
        } catch {
            end()
        }
    }

    /// What the callers of an actor do.
    private func call(_ host: WorkerHost) async {
        host.runtime.calls.channel(to: actor).located(ActorLocation(host.assignment.record))
        guard let specimen = try? RehearsalActor.resolve(id: actor, using: host.runtime) else { return }
        for number in 0..<3 { _ = try? await specimen.note("rehearsal", number) }
    }

    private func end() {
        let isFirst = isOver.withLock { isOver in
            defer { isOver = true }
            return !isOver
        }
        guard isFirst else { return }
        RuntimeDirectory.remove(directory)
        OwnProcess.giveBackMemory()
    }
}

/// What is hosted in a rehearsal: a little of everything that actors have.
distributed actor RehearsalActor: DurableActor {
    @Checkpointed private var count = 0
    @Checkpointed private var text = ""
    @Checkpointed private var numbers: [Int] = []
    @Checkpointed private var table = CheckpointedDictionary<String, Int>()

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async throws { self.actorSystem = actorSystem }

    /// Changes everything.
    distributed func note(_ key: String, _ value: Int) -> String {
        count += 1
        numbers.append(value)
        table[key] = (table[key] ?? 0) + value
        text = "\(key) \(value)"
        return text
    }
}

/// Where rehearsals keep their shards: in memory, if there is a place for files in memory.
enum RehearsalDirectory {
    private static let prefix = "durable-rehearsal-"

    /// Makes one, with a directory for its shard.
    static func make() throws -> String {
        for parent in ["/dev/shm", "/tmp"] {
            sweep(parent)
            var template = Array("\(parent)/\(prefix)\(getpid())-XXXXXX".utf8CString)
            guard mkdtemp(&template) != nil else { continue }
            let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
            guard mkdir("\(path)/shards", 0o700) == 0, mkdir("\(path)/shards/1", 0o700) == 0 else {
                RuntimeDirectory.remove(path)
                continue
            }
            return path
        }
        throw ActorError(.directoryUnusable, "there is no place for a rehearsal")
    }

    /// Removes what spares have left that were killed while they rehearsed.
    private static func sweep(_ parent: String) {
        for name in RuntimeDirectory.entries(of: parent) where name.hasPrefix(prefix) {
            guard let pid = Int32(name.dropFirst(prefix.count).prefix { $0 != "-" }) else { continue }
            let path = "\(parent)/\(name)"
            var status = stat()
            // What others have put there stays, and is nothing that a link could lead to.
            guard kill(pid, 0) != 0, errno == ESRCH, lstat(path, &status) == 0, status.st_uid == geteuid(),
                status.st_mode & S_IFMT == S_IFDIR
            else { continue }
            RuntimeDirectory.remove(path)
        }
    }
}
