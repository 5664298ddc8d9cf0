import ArgumentParser
import DurableActors
import DurableCore
import DurableSupervisor
import Glibc

/// Many processes on one directory.
extension ZombieRound {
    /// All start in the same moment, where nothing runs yet.
    func startTogether(in directory: TrialDirectory, processes: Int) async throws {
        let children = try starters(processes, directory, tickets: 5)
        let witness = PassbookWitness(first: -1)
        let supervisors = try await withStarters(children) {
            for child in children { child.say("go") }
            bit("starts at once", processes)
            var supervisors: Set<Int32> = []
            for child in children {
                let serving = try await harvest(child, witness)
                supervisors.insert(serving)
            }
            return supervisors
        }
        if supervisors.count != 1 { violate("\(processes) starts found \(supervisors.count) supervisors") }
        try await conclude(directory, witness, children)
    }

    /// All are connected and need a supervisor when it dies.
    func killSupervisors(in directory: TrialDirectory, processes: Int, times: Int) async throws {
        let children = try starters(processes, directory, tickets: 0)
        let witness = PassbookWitness(first: -1)
        try await withStarters(children) {
            for child in children { child.say("go") }
            let lock = RuntimeLayout(directory: directory.file("data")).lock
            var struck: Set<Int32> = []
            for _ in 0..<times {
                var serving: [Int32] = []
                guard
                    await isReached(
                        within: .seconds(20),
                        {
                            serving = ProcessTable.holders(of: lock)
                            return serving.count == 1 && !struck.contains(serving[0])
                        }
                    )
                else { throw LaneError("there is no single supervisor: \(serving)") }
                try await Task.sleep(for: .microseconds(choose(0...80_000)))
                struck.insert(serving[0])
                if kill(serving[0], SIGKILL) == 0 { bit("supervisors killed under drivers") }
            }
            guard
                await isReached(
                    within: .seconds(20),
                    {
                        let serving = ProcessTable.holders(of: lock)
                        return serving.count == 1 && struck.isDisjoint(with: serving)
                    }
                )
            else { throw LaneError("no single supervisor follows: \(ProcessTable.holders(of: lock))") }
            for child in children { child.say("enough") }
            for child in children { _ = try await harvest(child, witness) }
        }
        try await conclude(directory, witness, children)
    }

    private func starters(_ count: Int, _ directory: TrialDirectory, tickets: Int) throws -> [LaneChild] {
        try (1...count).map { number in
            try LaneChild([
                "zombie-starter", directory.file("data"), "\(number * 1_000_000)", "\(tickets)",
                durability == .disk ? "disk" : "process",
            ])
        }
    }

    /// Waits until all are there, and ends them when something goes wrong.
    private func withStarters<Value>(_ children: [LaneChild], _ body: () async throws -> Value) async throws -> Value {
        do {
            for child in children where await child.line() != "ready" { throw LaneError("a starter does not start") }
            return try await body()
        } catch {
            for child in children { kill(child.pid, SIGKILL) }
            for child in children { await child.reap() }
            throw error
        }
    }

    /// Takes what a starter says: the supervisor that it sees, then places by tickets.
    private func harvest(_ child: LaneChild, _ witness: PassbookWitness) async throws -> Int32 {
        guard let line = await child.line() else { throw LaneError("a starter said nothing") }
        let words = line.split(separator: " ")
        guard words.first == "served", words.count > 3, let supervisor = Int32(words[1]) else {
            violate("a starter was not served: \(line)")
            return 0
        }
        for pair in words.dropFirst(2) {
            let numbers = pair.split(separator: ":").compactMap { Int($0) }
            if numbers.count == 2 { witness.learn(ticket: numbers[0], place: numbers[1]) }
        }
        return supervisor
    }

    /// One worker had the actor, or each after the one before.
    private func conclude(_ directory: TrialDirectory, _ witness: PassbookWitness, _ children: [LaneChild]) async throws
    {
        let runtime = try await ActorRuntime.start(directory: directory.file("data"))
        let contents = try await withPatience(.seconds(30), of: [runtime], "the last look") {
            let book = try await runtime.getActor(Passbook.self, name: "book")
            let contents = try await book.all()
            try await runtime.kill(book)
            return contents
        }
        if kind == .doubleStart, Set(contents.entries.map(\.life)).count != 1 {
            violate("several lives wrote although nobody died: \(Set(contents.entries.map(\.life)).sorted())")
        }
        settle(witness, contents)
        for child in children { child.say("end") }
        for child in children { await child.reap() }
        await runtime.shutdown()
    }
}

/// One of many drivers of a directory, for the lane's own use.
struct ZombieStarter: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "zombie-starter", shouldDisplay: false)

    @Argument var directory: String
    @Argument var first: Int
    @Argument var tickets: Int
    @Argument var level: String

    func run() async throws {
        print("ready")
        fflush(nil)
        guard readLine() == "go" else { return }
        do {
            var options = ActorOptions.resilient
            options.durability = level == "disk" ? .disk : .process
            let runtime = try await ActorRuntime.start(directory: directory)
            let book = try await runtime.getOrCreate(Passbook.self, name: "book", options: options)
            var places: [String] = []
            var ticket = first
            // Who is told to stop before it was served goes on until it is.
            while tickets == 0 ? places.count < 2 || !isToldToStop : ticket < first + tickets {
                ticket += 1
                places.append("\(ticket):\(try await book.enter(ticket))")
            }
            print("served \(runtime.supervisorProcessID ?? 0) \(places.joined(separator: " "))")
            fflush(nil)
            while let line = readLine(), line != "end" {}
            await runtime.shutdown()
        } catch {
            print("failed: \(error)")
        }
    }

    private var isToldToStop: Bool {
        var look = pollfd(fd: 0, events: Int16(POLLIN), revents: 0)
        return poll(&look, 1, 0) > 0
    }
}
