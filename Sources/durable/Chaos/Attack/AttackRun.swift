internal import DurableActors
internal import DurableChaos
internal import DurableCore
internal import DurableProcess
internal import DurableSupervisor
internal import Glibc
internal import Synchronization

/// An attack: hits one process after the other, no faster than it may, waits for what was hit, and ends when something
/// does not come back in time.
final class AttackRun: Sendable {
    /// What was found in the end.
    struct Outcome: Sendable {
        var check: ChaosCheck
        var notes: [String]
        var strangeDeaths: [String]
    }

    /// Something that was hit and does not serve again yet.
    private struct Wound: Sendable {
        var number: Int
        var strike: ChaosBook.Strike
        var instant: ContinuousClock.Instant
        /// Who does not serve because of it, and in which life it was hit; empty for the supervisor.
        var actors: [ActorID: UInt64]
        /// When a process that stands still goes on.
        var resume: ContinuousClock.Instant?
    }

    /// What may be done to a single worker.
    static let signals: [ChaosFault.Kind: Int32] = [
        .kill: SIGKILL, .abort: SIGABRT, .terminate: SIGTERM, .stop: SIGSTOP,
    ]

    private let settings: ChaosSettings
    private let targets: AttackTargets
    private let objective: Duration
    private let book: ChaosBook
    private let stop: ChaosStop
    private let stopped = Mutex<[Int32: ProcessHandle]>([:])

    init(
        _ settings: ChaosSettings,
        _ targets: AttackTargets,
        objective: Duration,
        _ book: ChaosBook,
        _ stop: ChaosStop
    ) {
        self.settings = settings
        self.targets = targets
        self.objective = objective
        self.book = book
        self.stop = stop
    }

    /// Lets everything go on that stands still because of the attack.
    func resumeAll() {
        let handles = stopped.withLock { stopped in
            defer { stopped = [:] }
            return Array(stopped.values)
        }
        for handle in handles { handle.signal(SIGCONT) }
    }

    /// Attacks until the time is over, the user has seen enough, or something does not come back.
    func run() async -> Outcome {
        defer { resumeAll() }
        let deaths = AttackDeaths(targets)
        var generator = SeededGenerator(seed: settings.seed)
        var wounds: [Wound] = []
        var marks: Set<FaultTally.Mark> = []
        var notes: [String] = []
        var next = ContinuousClock.now + settings.period * Double.random(in: 0..<0.5, using: &generator)
        var absence: ContinuousClock.Instant?
        var isOver = false
        while true {
            isOver = isOver || stop.isRaised || book.elapsed >= settings.duration
            if isOver, wounds.isEmpty { break }
            let began = ContinuousClock.now
            let actors = await targets.look()
            let pause = max(.milliseconds(2), (ContinuousClock.now - began) * 4)
            if let actors {
                absence = nil
                show(actors)
                if let late = heal(&wounds, actors, deaths) {
                    resumeAll()
                    return outcome(deaths, marks, notes, [late])
                }
            } else if absence == nil {
                absence = .now
            }
            if let reason = miss(wounds, actors, deaths, absence) {
                guard reason != Self.ended else {
                    notes.append("the runtime has ended, and the attack with it, after \(book.elapsed.shown)")
                    break
                }
                resumeAll()
                let time = wounds.min { $0.instant < $1.instant }?.strike.offset
                return outcome(deaths, marks, notes, [.init(reason, time)])
            }
            if !isOver, let actors, ContinuousClock.now >= next, let hit = strike(actors, wounds, &generator) {
                wounds += hit.wounds
                marks.formUnion(hit.marks)
                next = .now + settings.period * Double.random(in: 1..<1.5, using: &generator)
            }
            let isWaiting = !wounds.isEmpty || absence != nil || ContinuousClock.now >= next
            let step = isWaiting ? pause : min(.milliseconds(50), max(next - .now, pause))
            // Nobody cancels the attack; whoever wants its end raises the wish for it.
            try? await Task.sleep(for: step)
        }
        return outcome(deaths, marks, notes, [])
    }

    private func show(_ actors: [ActorSummary]) {
        let supervisor = ChaosBook.Process(
            title: ChaosBook.Strike.supervisor,
            processID: targets.supervisor?.pid,
            state: "alive"
        )
        let still = stopped.withLock { Set($0.keys) }
        let workers = actors.map { actor in
            let isStill = actor.processID.map(still.contains) ?? false
            return ChaosBook.Process(
                title: AttackTargets.title(actor),
                processID: actor.processID,
                state: isStill ? "stopped" : actor.state.rawValue
            )
        }
        book.show([supervisor] + workers)
    }

    /// Closes the wounds of what serves again. Returns what does so too late.
    private func heal(_ wounds: inout [Wound], _ actors: [ActorSummary], _ deaths: AttackDeaths) -> ChaosComparison
        .Difference?
    {
        let now = ContinuousClock.now
        var late: ChaosComparison.Difference?
        let byID = Dictionary(actors.map { ($0.id, $0) }) { first, _ in first }
        wounds = wounds.filter { wound in
            if let resume = wound.resume {
                guard now >= resume || stop.isRaised else { return true }
                stopped.withLock { $0.removeValue(forKey: wound.strike.processID) }?.signal(SIGCONT)
            }
            let serves = wound.actors.allSatisfy { id, life in
                // Its program has ended it meanwhile.
                guard let actor = byID[id] else { return deaths.wasMeant(id) }
                guard actor.state == .alive else { return false }
                return wound.resume != nil || actor.incarnation > life
            }
            // An answer of the supervisor is what a wound of a supervisor waits for.
            let isNext = !wound.strike.isSupervisor || targets.supervisor?.pid != wound.strike.processID
            guard serves, isNext else { return true }
            let time = now - wound.instant
            book.recovered(wound.number, after: time)
            if time > objective + wound.strike.lasting {
                late = late ?? .init("\(described(wound)) serves again only after \(time.shown)", wound.strike.offset)
            }
            return false
        }
        return late
    }

    private func described(_ wound: Wound) -> String {
        "\(wound.strike.title), process \(wound.strike.processID), hit by \(wound.strike.kind.rawValue),"
    }

    private static let ended = "ended"

    /// Why the attack has to end, if it has to.
    private func miss(
        _ wounds: [Wound],
        _ actors: [ActorSummary]?,
        _ deaths: AttackDeaths,
        _ absence: ContinuousClock.Instant?
    ) -> String? {
        if absence != nil, !targets.hasDriver { return Self.ended }
        let now = ContinuousClock.now
        for wound in wounds {
            let gone = actors.map { actors in
                wound.actors.keys.filter { id in !actors.contains { $0.id == id && $0.state != .ended } }
            }
            if let id = gone?.first, let cause = deaths.finalCause(of: id) {
                return "\(wound.strike.title) does not come back: \(cause)"
            }
            guard now - wound.instant > objective + (wound.resume == nil ? .zero : wound.strike.lasting) else {
                continue
            }
            let reason = deaths.reason(for: Array(wound.actors.keys), actors)
            return "\(described(wound)) does not serve within \(objective.brief): \(reason)"
        }
        if let absence, now - absence > objective {
            return "there has been no supervisor for \(objective.brief), and it was not ours to kill"
        }
        return nil
    }

    /// Hits something, if something may be hit.
    private func strike(
        _ actors: [ActorSummary],
        _ wounds: [Wound],
        _ generator: inout SeededGenerator
    ) -> (wounds: [Wound], marks: [FaultTally.Mark])? {
        let down = Set(wounds.flatMap(\.actors.keys)).union(actors.filter { $0.state == .restarting }.map(\.id))
        let room = settings.downMax - down.count
        guard room > 0, !wounds.contains(where: \.strike.isSupervisor) else { return nil }
        // The draws are made in any case, so that those that follow do not depend on what was possible.
        let (kind, choice) = (settings.kinds.draw(&generator), Int.random(in: 0..<1_000_000, using: &generator))
        let lasting = Duration.milliseconds(Int.random(in: 50...300, using: &generator))
        if kind == .killSupervisor { return strikeSupervisor() }
        guard let signal = Self.signals[kind], let found = try? targets.candidates(actors).workers else { return nil }
        let workers = found.filter { worker in
            worker.actors.count <= room && !worker.actors.contains { down.contains($0.id) }
        }
        guard !workers.isEmpty else { return nil }
        let worker = workers[choice % workers.count]
        let instant = ContinuousClock.now
        guard let handle = hit(worker.process, signal) else { return nil }
        if kind == .stop { stopped.withLock { $0[worker.process.pid] = handle } }
        let strike = ChaosBook.Strike(
            kind: kind,
            offset: book.elapsed,
            title: worker.title,
            processID: worker.process.pid,
            lasting: kind == .stop ? lasting : .zero
        )
        let wound = Wound(
            number: book.enter(kind, [strike]).lowerBound,
            strike: strike,
            instant: instant,
            actors: Dictionary(uniqueKeysWithValues: worker.actors.map { ($0.id, $0.incarnation) }),
            resume: kind == .stop ? instant + lasting : nil
        )
        return ([wound], [FaultTally.Mark(pid: worker.process.pid, startTime: worker.process.startTime)])
    }

    private func strikeSupervisor() -> (wounds: [Wound], marks: [FaultTally.Mark])? {
        guard targets.hasDriver, let supervisor = targets.supervisor else { return nil }
        let instant = ContinuousClock.now
        guard hit(supervisor, SIGKILL) != nil else { return nil }
        let title = ChaosBook.Strike.supervisor
        let strike = ChaosBook.Strike(
            kind: .killSupervisor,
            offset: book.elapsed,
            title: title,
            processID: supervisor.pid
        )
        let number = book.enter(.killSupervisor, [strike]).lowerBound
        return ([Wound(number: number, strike: strike, instant: instant, actors: [:], resume: nil)], [])
    }

    /// Signals this very process. Without a pidfd there is no sure way to hit it, and it is left alone.
    private func hit(_ process: RuntimeProcesses.Found, _ signal: Int32) -> ProcessHandle? {
        guard let handle = try? ProcessHandle.adopt(pid: process.pid, startTime: process.startTime) else { return nil }
        return handle.signal(signal) ? handle : nil
    }

    private func outcome(
        _ deaths: AttackDeaths,
        _ marks: Set<FaultTally.Mark>,
        _ notes: [String],
        _ misses: [ChaosComparison.Difference]
    ) -> Outcome {
        let extent = book.page.strikes.count.of("hit")
        let check = ChaosCheck("whatever was hit serves again within \(objective.brief)", extent, misses)
        return Outcome(check: check, notes: notes, strangeDeaths: deaths.strange(besides: marks))
    }
}
