import DurableActors
import DurableChaos
import DurableProcess
import Glibc

/// The drivers of a storm that are processes of their own, life after life.
actor StormDrivers {
    private struct Life {
        var name: String
        var path: String
        var journal: StormJournal
        var process: ProcessHandle
    }

    private let folder: KillFolder
    private let actors: [StormActor]
    private let seed: UInt64
    private var lives: [Life] = []
    private var count = 0
    /// Totals of the lives that are over.
    private(set) var issued = 0
    private(set) var acknowledged = 0
    private(set) var violations: [String] = []
    /// What is to be found in the end: by actor and stream, the calls made, and those acknowledged.
    private(set) var expected: [StormExpectation] = []

    init(_ folder: KillFolder, _ actors: [StormActor], seed: UInt64) {
        self.folder = folder
        self.actors = actors
        self.seed = seed
    }

    func start(_ number: Int) throws { for _ in 0..<number { try startOne() } }

    private func startOne() throws {
        count += 1
        let name = "d\(count)"
        let path = "\(folder.path)/journal-\(count)"
        let journal = try StormJournal(path, isNew: true)
        let process = try FreshProcess.start([
            "storm-driver", folder.data, name, path, "\(seed &+ UInt64(count) &* 1000)",
        ])
        lives.append(Life(name: name, path: path, journal: journal, process: process))
    }

    /// Kills one in the middle of what it does, and starts the next. False when none has got to work yet.
    func killOne(_ generator: inout SeededGenerator) async throws -> Bool {
        let working = lives.indices.filter { lives[$0].journal.acknowledged > 0 && lives[$0].process.isAlive }
        guard let victim = working.randomElement(using: &generator) else { return false }
        let life = lives.remove(at: victim)
        guard life.process.kill() else { return false }
        try await end(life)
        try startOne()
        return true
    }

    /// Calls of those that live.
    var acknowledgedSoFar: Int { lives.reduce(acknowledged) { $0 + $1.journal.acknowledged } }

    func tell(_ wish: Int) { for life in lives { life.journal.wish = wish } }

    /// Lets them finish what they do.
    func finish() async throws {
        tell(2)
        for life in lives {
            try await end(life)
            if life.journal.violations > 0 { violations.append("driver \(life.name) saw broken promises, see stderr") }
        }
        lives = []
    }

    /// Ends them without looking at what they leave.
    func killAll() {
        for life in lives {
            life.process.kill()
            _ = life.process.waitUntilEnded(for: .seconds(5))
            _ = life.process.reap()
        }
        lives = []
    }

    /// Takes over what a life has promised and was promised, once it is over.
    private func end(_ life: Life) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while life.process.isAlive {
            if .now > deadline {
                violations.append("driver \(life.name) does not end")
                life.process.kill()
            }
            try await Task.sleep(for: .milliseconds(1))
        }
        let status = life.process.reap()
        if life.journal.wish == 2, status != .exited(code: 0) {
            violations.append("driver \(life.name) ended with \(status.map { "\($0)" } ?? "nothing")")
        }
        issued += life.journal.issued
        acknowledged += life.journal.acknowledged
        for client in 0..<StormJournal.clients {
            let stream = "\(life.name).\(client)"
            for actor in actors.indices {
                try await takeOver(life.journal, client, actor, stream)
            }
        }
        unlink(life.path)
    }

    private func takeOver(_ journal: StormJournal, _ client: Int, _ actor: Int, _ stream: String) async throws {
        let (notes, answers) = (journal[client, actor, .notesMade], journal[client, actor, .notesAnswered])
        if notes > 0 { expected.append(StormExpectation(actor, stream, made: notes, acknowledged: answers)) }
        let transfers = journal[client, actor, .transfersMade]
        guard transfers > 0 else { return }
        var answered = journal[client, actor, .transfersAnswered]
        if answered < transfers {
            // Who asks again with the key makes sure that both accounts have it, or none.
            let keyed = KeyedTransfers(stream: stream, client: client, actors: actors)
            _ = try await keyed.make(transfers, actor, journal[client, actor, .amount])
            answered += 1
        }
        expected.append(StormExpectation(actor, "t\(stream)", made: transfers, acknowledged: answered))
        expected.append(StormExpectation(actor + 1, ">t\(stream)", made: transfers, acknowledged: answered))
    }
}

/// What an actor must know of one caller's calls in the end.
struct StormExpectation: Sendable {
    var actor: Int
    var stream: String
    var made: Int
    var acknowledged: Int

    init(_ actor: Int, _ stream: String, made: Int, acknowledged: Int) {
        (self.actor, self.stream, self.made, self.acknowledged) = (actor, stream, made, acknowledged)
    }

    /// A sentence when it does not.
    func violation(_ found: Int) -> String? {
        guard found < acknowledged || found > made else { return nil }
        return "\(StormCast.names[actor]) has \(found) calls of \(stream); \(acknowledged) acknowledged, \(made) made"
    }
}
