import DurableActors
import Glibc
import Testing

/// A driver is killed, and a second one takes over.
@Suite(.serialized, .timeLimit(.minutes(2))) struct DriverDeathTests {
    /// What a driver that is about to be killed has said of itself.
    private struct Estate {
        var owned: [Int32]
        var detached: [Int32]
        var supervisor: Int32
        var freeProcessors: Double

        init(_ line: String) throws {
            let words = line.split(separator: " ")
            try #require(words.count == 4, "the driver said: \(line)")
            owned = words[0].split(separator: ",").compactMap { Int32($0) }
            detached = words[1].split(separator: ",").compactMap { Int32($0) }
            supervisor = try #require(Int32(words[2]))
            freeProcessors = try #require(Double(words[3]))
        }
    }

    /// Also with a second driver that comes only then.
    @Test(arguments: [true, false])
    func `SIGKILL of a driver ends what it owns and frees all that held; detached actors go on, found with their state`(
        isSecondThere: Bool
    ) async throws {
        let scratch = ScratchDirectory()
        let directory = scratch.file("data")
        let first = try TestProcess(["estate", directory])
        let estate = try Estate(first.line)
        #expect(estate.owned.count == 5 && estate.detached.count == 2)
        #expect(estate.freeProcessors <= 2)
        #expect((estate.owned + estate.detached).allSatisfy(Processes.isAlive))
        let early = isSecondThere ? try await ActorRuntime.start(directory: directory) : nil
        #expect(try await early?.actors().count ?? 6 == 6)

        let clock = ContinuousClock()
        let begin = clock.now
        kill(first.pid, SIGKILL)
        let second: ActorRuntime
        if let early { second = early } else { second = try await ActorRuntime.start(directory: directory) }
        #expect(second.supervisorProcessID == estate.supervisor)
        try await eventually("all is free but what detached actors hold") {
            try await second.nodes().map(\.available)
        } is: {
            $0 == [["cpu": 6, "gpu": 1, "memory": Double(1 << 30), "licence": 2]]
        }
        let free = clock.now - begin
        try await eventually("the processes of what the driver owned are gone") {
            estate.owned.filter(Processes.isAlive)
        } is: {
            $0.isEmpty
        }
        let gone = clock.now - begin
        let living = try await second.actors().sorted { ($0.name ?? "") < ($1.name ?? "") }
        #expect(living.map(\.name) == ["driven", "other"])
        #expect(living.map(\.processID) == estate.detached, "they are those that they were")
        #expect(living.allSatisfy { $0.state == .alive && $0.restarts == 0 })
        let groups = try await second.placementGroups()
        let tasks = try await second.taskWorkers()
        #expect(groups.isEmpty && tasks.isEmpty)

        let finder = try TestDriver(directory, "detached", additions: 1)
        let found = clock.now - begin
        #expect(finder.value == 4)
        #expect(finder.worker == estate.detached[0])
        let times = [free, gone, found].map { "\($0 / .milliseconds(1)) ms" }
        print(
            "killed driver, second driver \(isSecondThere ? "there" : "started then"): resources free after",
            "\(times[0]), processes gone after \(times[1]), a newly started driver has found the state after \(times[2])"
        )
        first.end()
        await second.shutdown()
        finder.killEverything()
    }
}
