internal import DurableActors
internal import DurableCore
internal import DurableProcess
internal import DurableSupervisor
internal import Glibc

/// The end of a run: leaves the runtime, and looks whether anything of it still runs before anyone says that nothing
/// does.
struct Departure: Sendable {
    /// What was found in the end.
    enum Outcome: Hashable, Sendable {
        /// All processes ended by themselves, and a temporary directory is gone.
        case clean
        /// What this run owned has ended; the directory serves other programs or detached actors.
        case shared
        /// Nobody may kill here: the directory serves others too, or its registry does not say. The supervisor, which
        /// sees that this process is gone, ends what this run owned.
        case leftToSupervisor
        /// These had to be killed; now nothing runs.
        case killed([RuntimeProcesses.Found])
        /// These still run, or there is none and the temporary directory cannot be removed.
        case stuck([RuntimeProcesses.Found])
    }

    /// How long processes may take to end by themselves after the runtime said that they do, or after they were killed.
    private let patience: Duration

    /// The scope of the names of this run's actors.
    static var namespace: String { "demo-\(getpid())" }

    private let directory: String
    private let runtime: ActorRuntime
    private let isTemporary: Bool
    private let layout: RuntimeLayout
    private let processes: RuntimeProcesses

    init(_ runtime: ActorRuntime, isTemporary: Bool, patience: Duration = .seconds(5)) {
        self.patience = patience
        self.runtime = runtime
        directory = runtime.directory
        self.isTemporary = isTemporary
        layout = RuntimeLayout(directory: directory)
        processes = RuntimeProcesses(directory)
    }

    /// Leaves, waits until all that ended is gone, and kills what is not.
    func leave() async -> Outcome {
        await runtime.shutdown()
        let deadline = ContinuousClock.now + patience
        while true {
            if isGone() { return .clean }
            if case .othersOnly = use { return .shared }
            guard ContinuousClock.now < deadline else { break }
            do {
                try await Task.sleep(for: .milliseconds(10))
            } catch {
                break
            }
        }
        // Whoever has left starts nothing any more.
        var outcome = Outcome.leftToSupervisor
        force { outcome = $0 }
        return outcome
    }

    /// Kills everything without asking, unless others use the directory. Blocks its thread.
    /// - Parameter report: Gets the outcome before this process, which may still hold the runtime, can start the next
    ///   supervisor: it does not, when `report` ends it.
    func force(_ report: (Outcome) -> Void) {
        switch use {
        case .ours: ProcessHandle.withoutSpawning { report(killAll()) }
        case .othersOnly: report(.shared)
        case .both: report(.leftToSupervisor)
        }
    }

    private func killAll() -> Outcome {
        var killed: [RuntimeProcesses.Found] = []
        let deadline = ContinuousClock.now + patience
        while ContinuousClock.now < deadline {
            if isGone() { return killed.isEmpty ? .clean : .killed(killed) }
            // Supervisors come first: they would replace the workers.
            for process in processes.living() where process.kill() && !killed.contains(process) {
                killed.append(process)
            }
            usleep(2000)
        }
        return .stuck(processes.living())
    }

    /// Whether no process is left and, if it is temporary, no directory.
    private func isGone() -> Bool {
        guard processes.living().isEmpty else { return false }
        guard isTemporary else { return true }
        // Usually the supervisor has removed it, unless it was killed. One that is just being started can still put
        // files into it, and is then found by the second look.
        RuntimeDirectory.remove(directory)
        return !Files.exists(directory) && processes.living().isEmpty
    }

    private enum Use { case ours, both, othersOnly }

    /// Who uses the directory, as its registry says.
    private var use: Use {
        guard !isTemporary else { return .ours }
        // What cannot be read may be in use; then nothing is killed.
        guard let registry = try? RegistryStore(layout, readOnly: true) else { return .both }
        defer { registry.close() }
        guard let stored = try? registry.load() else { return .both }
        let running = stored.records.filter { $0.worker.map(ProcessTable.isAlive) ?? false }
        let others = stored.drivers.contains {
            $0.pid != getpid() && ProcessTable.startTime(of: $0.pid) == $0.startTime
        }
        guard others || running.contains(where: { $0.options.namespace != Self.namespace }) else { return .ours }
        return running.contains { $0.options.namespace == Self.namespace } ? .both : .othersOnly
    }
}

extension Departure {
    /// An outcome for people.
    func text(_ outcome: Outcome) -> String {
        switch outcome {
        case .clean: "nothing is left running"
        case .shared: "nothing of this run is left running; other programs go on using \(directory)"
        case .leftToSupervisor: "the supervisor of \(directory), which may serve others too, ends this run's actors"
        case .killed(let processes): "killed \(Self.list(processes)); nothing is left running"
        case .stuck([]): "nothing is left running, but \(directory) cannot be removed"
        case .stuck(let processes): "still running, end them by kill -9: \(Self.list(processes))"
        }
    }

    private static func list(_ processes: [RuntimeProcesses.Found]) -> String {
        processes.map { "\($0)" }.joined(separator: ", ")
    }
}
