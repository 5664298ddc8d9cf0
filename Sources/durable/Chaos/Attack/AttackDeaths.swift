internal import DurableActors
internal import DurableCore
internal import DurableProcess
internal import Glibc

/// What the ledger of a runtime says of the deaths since an attack began.
struct AttackDeaths: Sendable {
    private let targets: AttackTargets
    private let start: Int64

    init(_ targets: AttackTargets) {
        self.targets = targets
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        start = Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    private var entries: [LedgerEntry] {
        // A ledger that cannot be read now says nothing; whatever it would tell is not claimed.
        ((try? targets.ledger()) ?? []).filter { $0.milliseconds >= start && $0.notice == nil }
    }

    /// Why an actor has ended for good, if nobody meant it to.
    func finalCause(of id: ActorID) -> String? {
        guard let last = entries.last(where: { $0.actor == id }), !last.isRestarted, !Self.isMeant(last.cause) else {
            return nil
        }
        return Self.text(last)
    }

    /// Whether somebody wanted the actor to end.
    func wasMeant(_ id: ActorID) -> Bool { entries.last { $0.actor == id }.map { Self.isMeant($0.cause) } ?? false }

    /// What is known of actors that do not serve.
    func reason(for ids: [ActorID], _ actors: [ActorSummary]?) -> String {
        guard let actors else { return "there is no supervisor" }
        let state = actors.first { ids.contains($0.id) && $0.state != .alive } ?? actors.first { ids.contains($0.id) }
        var parts = [state.map { "it is \($0.state.rawValue)" } ?? "it is gone"]
        if let waits = state?.waitsFor { parts.append("waits for \(waits)") }
        if let last = entries.last(where: { ids.contains($0.actor) }) {
            parts.append("the ledger says: \(Self.text(last))")
        }
        return parts.joined(separator: ", ")
    }

    /// A sentence for each death that neither a fault has caused nor somebody meant.
    func strange(besides marks: Set<FaultTally.Mark>) -> [String] {
        entries.filter { entry in
            let isOurs = marks.contains {
                $0.pid == entry.pid && (entry.startTime == nil || entry.startTime == $0.startTime)
            }
            return !isOurs && !Self.isMeant(entry.cause)
        }.map { "\(WallClock.text(milliseconds: $0.milliseconds)): \($0.typeDescription), \(Self.text($0))" }
    }

    private static func text(_ entry: LedgerEntry) -> String {
        let written = entry.stderrTail.split(separator: "\n").last.map { "; it wrote: \($0.suffix(200))" } ?? ""
        return "life \(entry.incarnation), process \(entry.pid), \(entry.cause)\(written)"
    }

    /// Whether a program ends its actors in this way.
    private static func isMeant(_ cause: DeathCause) -> Bool {
        switch cause {
        case .killed, .intendedExit, .ownerDied, .nodeDrained, .placementGroupRemoved, .runtimeEnded: true
        default: false
        }
    }
}
