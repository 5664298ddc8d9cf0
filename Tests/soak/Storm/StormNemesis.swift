import DurableActors
import DurableChaos
import DurableProcess
import DurableSupervisor
import Glibc
import Synchronization

/// Kills and stops processes of a runtime, in bursts and with pauses, a quarter of the time not at all.
struct StormNemesis: Sendable {
    /// What is hit.
    enum Target: String, CaseIterable, Sendable {
        case worker
        case spare
        case supervisor
        case driver
        /// Every process of the runtime, one right after the other.
        case everything
        /// A worker stands still for a while.
        case stopWorker
        case stopSupervisor

        var isKill: Bool { self != .stopWorker && self != .stopSupervisor }

        /// In how many of a hundred strikes it is this.
        var share: Int {
            switch self {
            case .worker: 62
            case .spare: 14
            case .supervisor: 5
            case .driver: 5
            case .everything: 2
            case .stopWorker: 9
            case .stopSupervisor: 3
            }
        }
    }

    /// What lives of a runtime right now.
    struct Scene {
        var supervisor: ProcessHandle?
        var workers: [ProcessHandle] = []
        var spares: [ProcessHandle] = []
    }

    let folder: KillFolder
    let drivers: StormDrivers
    var generator: SeededGenerator
    var marks: Set<FaultTally.Mark> = []
    var strikes: [Target: Int] = [:]
    /// Processes that were killed; `everything` is one strike and many of these.
    var processesKilled = 0

    init(_ folder: KillFolder, _ drivers: StormDrivers, seed: UInt64) {
        self.folder = folder
        self.drivers = drivers
        generator = SeededGenerator(seed: seed)
    }

    var kills: Int { strikes.reduce(0) { $0 + ($1.key.isKill ? $1.value : 0) } }

    /// Hits something of a kind that the seed chooses, if there is one right now.
    mutating func strike(sparingSupervisor: Bool) async throws {
        let target = choose()
        if sparingSupervisor, [.supervisor, .everything, .stopSupervisor].contains(target) { return }
        let scene = scene()
        var hit: [ProcessHandle] = []
        switch target {
        case .worker: hit = kill(scene.workers.shuffled(using: &generator).prefix(1))
        case .spare: hit = kill(scene.spares.shuffled(using: &generator).prefix(1))
        case .supervisor: hit = kill(scene.supervisor.map { [$0] } ?? [])
        case .everything:
            let all = scene.workers + scene.spares + (scene.supervisor.map { [$0] } ?? [])
            hit = kill(all.shuffled(using: &generator))
        case .driver:
            if try await drivers.killOne(&generator) { strikes[target, default: 0] += 1 }
            return
        case .stopWorker: await stop(scene.workers.shuffled(using: &generator).first, target)
        case .stopSupervisor: await stop(scene.supervisor, target)
        }
        processesKilled += hit.count
        if !hit.isEmpty { strikes[target, default: 0] += 1 }
    }

    /// The processes of the runtime by what they do now. A worker has its shard open, a spare none.
    func scene() -> Scene {
        var scene = Scene()
        for process in folder.processes() {
            switch ProcessTable.part(of: process.pid, in: folder.data) {
            case .supervisor: scene.supervisor = process
            case .worker: scene.workers.append(process)
            case .spare: scene.spares.append(process)
            }
        }
        return scene
    }

    private mutating func choose() -> Target {
        var place = Int.random(in: 0..<100, using: &generator)
        for target in Target.allCases {
            place -= target.share
            if place < 0 { return target }
        }
        return .worker
    }

    private mutating func kill(_ processes: some Sequence<ProcessHandle>) -> [ProcessHandle] {
        processes.filter { process in
            guard process.isAlive else { return false }
            marks.insert(FaultTally.Mark(pid: process.pid, startTime: process.startTime))
            return process.kill()
        }
    }

    private mutating func stop(_ process: ProcessHandle?, _ target: Target) async {
        guard let process, process.isAlive, process.signal(SIGSTOP) else { return }
        strikes[target, default: 0] += 1
        let pause = Int.random(in: 10...120, using: &generator)
        // Ends by itself, soon; the storm waits longer than that before it looks for what is left.
        Task {
            try? await Task.sleep(for: .milliseconds(pause))
            process.signal(SIGCONT)
        }
    }
}

extension ProcessTable {
    /// What a process of a runtime does.
    enum Part { case supervisor, worker, spare }

    static func part(of pid: Int32, in data: String) -> Part {
        if link("/proc/\(pid)/fd/2")?.hasSuffix("/supervisor/log") == true { return .supervisor }
        let isWorker = RuntimeDirectory.entries(of: "/proc/\(pid)/fd").contains { number in
            link("/proc/\(pid)/fd/\(number)")?.hasPrefix("\(data)/shards/") == true
        }
        return isWorker ? .worker : .spare
    }

    private static func link(_ path: String) -> String? {
        var buffer = [CChar](repeating: 0, count: 512)
        let count = readlink(path, &buffer, buffer.count)
        guard count > 0 else { return nil }
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
