internal import DurableCore
package import DurableProcess
internal import DurableSupervisor

/// Deaths of workers that nobody has planned: of what the framework or an actor did by itself. Those while no supervisor
/// was there to see their causes cannot be told from others, and are not among them.
package struct UnmarkedDeaths: Sendable {
    private static let deathsMax = 1000
    private let layout: RuntimeLayout

    /// Looks at the ledger in this data directory.
    package init(directory: String) { layout = RuntimeLayout(directory: directory) }

    /// A sentence for each death that is neither marked nor one that the framework means to happen.
    package func all(besides marks: Set<FaultTally.Mark>) async -> [String] {
        do {
            return try await settled().filter { !isExplained($0, marks) }.map { death in
                let title = "\(death.typeDescription), life \(death.incarnation), process \(death.pid)"
                let tail = death.stderrTail.isEmpty ? "" : "; it wrote: \(death.stderrTail.suffix(500))"
                return "a death that is not ours: \(title): \(death.cause)\(tail)"
            }
        } catch {
            return ["the ledger cannot be read: \(error.message)"]
        }
    }

    /// The ledger, once two looks at it agree: the supervisor writes a death a moment after it happened.
    private func settled() async throws(ActorError) -> [LedgerEntry] {
        var last = try read()
        for _ in 0..<10 {
            // A look that comes too early is followed by another one.
            try? await Task.sleep(for: .milliseconds(20))
            let next = try read()
            defer { last = next }
            if next == last { return next }
        }
        return last
    }

    private func read() throws(ActorError) -> [LedgerEntry] {
        let registry = try RegistryStore(layout, readOnly: true)
        defer { registry.close() }
        return try registry.ledger(newest: Self.deathsMax)
    }

    private func isExplained(_ entry: LedgerEntry, _ marks: Set<FaultTally.Mark>) -> Bool {
        guard entry.notice == nil, entry.isInjected != true else { return true }
        let isMarked = marks.contains {
            $0.pid == entry.pid && (entry.startTime == nil || entry.startTime == $0.startTime)
        }
        if isMarked { return true }
        return switch entry.cause {
        // What the next supervisor enters of an end of which it knows nothing; the one before may have meant it.
        case .unknown: true
        // Such workers end themselves, and rightly so, when a supervisor was dead for long.
        case .exit(WorkerExitCode.fenced), .exit(WorkerExitCode.abandoned): true
        case .signal, .exit, .outOfMemory, .quarantined, .constructorThrew, .spawnFailed, .restartedTooOften: false
        default: true
        }
    }
}
