import ArgumentParser
import DurableActors
import DurableCore
import DurableStore
import DurableSupervisor
import Glibc
import Synchronization

/// Looks at what a power cut has left, and then calls actors until the next one.
struct CutLoad: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "cut-load", shouldDisplay: false)

    @Option(help: "The runtime's directory.") var directory: String
    @Option(help: "What callers know.") var ledger: String
    @Option(help: "Where findings go.") var findings: String
    @Option(help: "Milliseconds between snapshots.") var snapshots = 40
    @Flag(help: "Look, and end.") var onlyLooks = false

    func run() async throws {
        let driver = CutDriver(
            directory: directory,
            ledger: try CutLedger(path: ledger),
            findings: findings,
            snapshots: .milliseconds(snapshots)
        )
        do {
            let runtime = try await driver.start()
            let scribes = try await driver.look(runtime)
            if onlyLooks {
                await runtime.shutdown()
                return
            }
            await driver.load(runtime, scribes)
        } catch {
            driver.find("nothing can be looked at: \(error)")
            _exit(1)
        }
    }
}

/// The lane's part inside of the runtime.
struct CutDriver: Sendable {
    let directory: String
    let ledger: CutLedger
    let findings: String
    let snapshots: Duration

    private static let registry = Mutex<Void>(())

    func start() async throws -> ActorRuntime {
        var configuration = RuntimeConfiguration()
        configuration.snapshotInterval = snapshots
        configuration.warmSpares = 1
        // After a cut everything is in doubt, and nobody is there to read it.
        configuration.log = { _ in }
        return try await ActorRuntime.start(directory: directory, configuration: configuration)
    }

    /// Adds a finding, from any thread.
    func find(_ text: String) {
        let descriptor = open(findings, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        defer { close(descriptor) }
        _ = "\(text)\n".withCString { write(descriptor, $0, strlen($0)) }
    }

    private func name(_ number: Int) -> String { "scribe-\(number)-\(ledger.slot(number).generation)" }

    private func options(_ number: Int) -> ActorOptions {
        ActorOptions(
            maxRestarts: .unlimited,
            maxTaskRetries: .unlimited,
            durability: CutLedger.isFlushed(number) ? .disk : .process
        )
    }

    private func scribe(_ number: Int, _ runtime: ActorRuntime) async throws -> Scribe {
        try await runtime.getOrCreate(Scribe.self, name: name(number), .init(number: number), options: options(number))
    }

    /// Looks at each actor: what was acknowledged, and one more call.
    func look(_ runtime: ActorRuntime) async throws -> [Scribe] {
        // The last one was new before the cut.
        let passing = CutLedger.stayingCount
        if ledger.slot(passing).exists {
            if let actor = try await looked(passing, runtime) { try await runtime.kill(actor) }
        } else if ledger.slot(passing).generation > 0 {
            try await lookAtUnborn(passing, runtime)
        }
        let slot = ledger.slot(passing)
        (slot.exists, slot.acknowledged) = (false, 0)
        slot.generation += 1
        return try await withThrowingTaskGroup(of: (Int, Scribe?).self) { group in
            for number in 0..<passing {
                group.addTask { (number, try await looked(number, runtime)) }
            }
            var found: [Int: Scribe] = [:]
            for try await (number, actor) in group { found[number] = actor }
            return found.sorted { $0.key < $1.key }.map(\.value)
        }
    }

    /// An actor whose creation was not acknowledged is there, and whole, or it is not.
    private func lookAtUnborn(_ number: Int, _ runtime: ActorRuntime) async throws {
        ledger.add(.unborn)
        do {
            let left = try await runtime.getActor(Scribe.self, name: name(number))
            _ = try await left.write()
            try await runtime.kill(left)
        } catch let error as ActorError where error.code == .notFound {
            return
        }
    }

    private func looked(_ number: Int, _ runtime: ActorRuntime) async throws -> Scribe? {
        let slot = ledger.slot(number)
        if slot.exists {
            do {
                _ = try await runtime.getActor(Scribe.self, name: name(number))
            } catch {
                find("\(name(number)) was created and is not there: \(error)")
                return nil
            }
        }
        var actor = try await scribe(number, runtime)
        var audit: Scribe.Audit
        do {
            audit = try await actor.audit()
        } catch let error as ActorError where error.code == .quarantined {
            guard !CutLedger.isFlushed(number), slot.snapshot == 0 else {
                find("\(name(number)) is quarantined: \(error)")
                return nil
            }
            // As promised: it had no snapshot yet.
            ledger.add(.refused)
            try await runtime.kill(actor)
            slot.generation += 1
            (slot.acknowledged, slot.exists) = (0, false)
            actor = try await scribe(number, runtime)
            audit = try await actor.audit()
        }
        slot.exists = true
        if let fault = audit.fault { find("\(name(number)) after \(audit.count) changes: \(fault)") }
        if audit.count > slot.acknowledged + 1 {
            find("\(name(number)) has \(audit.count) changes of \(slot.acknowledged) and one under way")
        }
        if CutLedger.isFlushed(number) {
            if audit.count < slot.acknowledged {
                find("\(name(number)) has \(audit.count) of \(slot.acknowledged) acknowledged changes")
            }
        } else {
            ledger.add(.lost, max(0, slot.acknowledged - audit.count))
            try checkVersion(number, actor.id)
        }
        let count = try await actor.write()
        if count != audit.count + 1 { find("\(name(number)): change \(count) came after \(audit.count)") }
        slot.acknowledged = count
        return actor
    }

    private func shard(of actor: ActorID) throws -> String {
        let layout = RuntimeLayout(directory: directory)
        // A process can have it open once.
        return try Self.registry.withLock { _ in
            let registry = try RegistryStore(layout, readOnly: true)
            defer { registry.close() }
            guard let record = try registry.load().records.first(where: { $0.id == actor }) else {
                throw LaneError("the registry has no \(actor)")
            }
            return layout.shard(record.shard)
        }
    }

    /// The state is not older than a snapshot that was durable.
    private func checkVersion(_ number: Int, _ actor: ActorID) throws {
        let shard = try shard(of: actor)
        let version = Int(try ShardReader.read(shard).fence?.version ?? 0)
        // Former ones were removed after the cut.
        let isReplaced = RuntimeDirectory.entries(of: shard).contains { $0.hasPrefix("damaged-") }
        ledger.add(isReplaced ? .fallenBack : .kept)
        let snapshot = ledger.slot(number).snapshot
        if version < snapshot { find("\(name(number)) is at version \(version), older than snapshot \(snapshot)") }
        ledger.slot(number).snapshot = 0
    }

    /// Calls every actor until the power goes.
    func load(_ runtime: ActorRuntime, _ scribes: [Scribe]) async {
        guard scribes.count == CutLedger.stayingCount else { _exit(1) }
        ledger[.phase] = 1
        await withTaskGroup(of: Void.self) { group in
            for (number, actor) in scribes.enumerated() {
                group.addTask { await calls(number, actor) }
                guard !CutLedger.isFlushed(number), let shard = try? shard(of: actor.id) else { continue }
                group.addTask { await watchSnapshots(number, shard) }
            }
            group.addTask {
                try? await Task.sleep(for: .milliseconds(Int.random(in: 0...150)))
                let number = CutLedger.stayingCount
                guard let actor = try? await scribe(number, runtime) else { return }
                ledger.slot(number).exists = true
                await calls(number, actor)
            }
        }
        // Nothing answers any more; the lane ends this process.
        while true { try? await Task.sleep(for: .seconds(1)) }
    }

    private func calls(_ number: Int, _ actor: Scribe) async {
        let slot = ledger.slot(number)
        while true {
            do {
                let count = try await actor.write()
                slot.acknowledged = count
                ledger.add(.acknowledged)
            } catch {
                // The power is gone; what this call has done is open.
                return
            }
        }
    }

    /// Of two snapshots the older one was finished when the newer one was begun.
    private func watchSnapshots(_ number: Int, _ shard: String) async {
        while true {
            let versions = RuntimeDirectory.entries(of: "\(shard)/snapshots").compactMap { Int($0) }.sorted()
            if versions.count > 1 { ledger.slot(number).snapshot = versions[versions.count - 2] }
            try? await Task.sleep(for: .milliseconds(10))
        }
    }
}
