import DurableActors
import DurableCore
import Glibc

/// The supervisor's own file fails.
extension DiskEpisode {
    /// Calls do not notice; who creates or ends an actor is told, and can do so when the disk works.
    func failRegistry(_ fault: FailingDisk.Fault) async throws {
        // The supervisor that follows one that is killed here has another driver, and another disk.
        let scratch = try TrialDirectory()
        let disk = try await FailingDisk(scratch)
        do {
            let runtime = try await ActorRuntime.start(directory: disk.directory)
            try await failRegistry(fault, disk, runtime)
            await runtime.shutdown()
        } catch {
            await disk.end()
            throw error
        }
        await disk.end()
    }

    private func failRegistry(_ fault: FailingDisk.Fault, _ disk: FailingDisk, _ runtime: ActorRuntime) async throws {
        let before = disk.count
        let kills = choose(0...1) == 0
        try await underLoad(of: runtime, choose(0...1) == 0 ? .disk : .process) { [self] book in
            try disk.arm(fault, count: 1_000_000, milliseconds: fault.isLate ? choose(1...200) : 0)
            var made: [Passbook] = []
            for _ in 0..<3 {
                do {
                    made.append(try await runtime.spawn(Passbook.self, options: Self.options(.disk)))
                    if !fault.isLate, disk.count > before {
                        violate("an actor was created that the registry does not know")
                    }
                } catch let error as ActorError where PassbookWitness.refusals.contains(error.code) {
                    see("creation told \(error.code)")
                } catch {
                    violate("who created an actor was told: \(error)")
                }
            }
            if kills {
                kill(try await book.processID(), SIGKILL)
                see("killed while the registry failed")
                let witness = PassbookWitness(first: 1_000_000)
                // The next life does not wait for the registry.
                let begin = ContinuousClock.now
                _ = await witness.look(book)
                recovered(after: begin.duration(to: .now))
            }
            for one in made { try await runtime.kill(one) }
            _ = await isReached(within: .seconds(5)) { disk.count > before }
        } lift: {
            try disk.disarm()
        }
        bite(disk.count - before)
        // What could not be stored is stored now: a supervisor that follows knows it.
        let name = "registry-\(number)"
        let book = try await runtime.getOrCreate(Passbook.self, name: name)
        guard try await book.enter(1) == 1 else { return violate("a new actor is not new") }
        if let supervisor = runtime.supervisorProcessID { kill(supervisor, SIGKILL) }
        let same = try await runtime.getActor(Passbook.self, name: name)
        if try await same.enter(2) != 2 { violate("the actor that the next supervisor finds is another one") }
        try await runtime.kill(same)
    }
}
