import DurableChaos
import DurableLMDB
import Foundation
import Testing

/// What killed processes leave behind.
@Suite(.timeLimit(.minutes(2)))
struct ProcessTests {
    private let folder: Folder

    init() throws { folder = try Folder() }

    @Test func aWriterKilledInsideATransactionLeavesTheOldDataAndTheNextWriterProceeds() throws {
        let environment = try Environment.small(at: folder.store)
        try environment.put("key", "old")
        for round in 0..<5 {
            let worker = try Worker("hold-write", folder.store)
            #expect(worker.line() == "ready")
            worker.kill()
            #expect(try environment.get("key") == "old")
            try environment.put("next", "\(round)")
            #expect(try environment.get("next") == "\(round)")
        }
        environment.close()
        #expect(try Environment.small(at: folder.store).get("key") == "old")
    }

    @Test func theReaderSlotsOfAKilledProcessAreFreed() throws {
        let environment = try Environment.small(at: folder.store)
        try environment.put("a", "1")
        let worker = try Worker("hold-reads", folder.store, "40")
        #expect(worker.line() == "ready")
        #expect(try environment.checkReaders() == 0, "slots of a living process were taken away")
        worker.kill()
        #expect(try environment.statistics().readerSlotsUsed >= 40)
        #expect(try environment.checkReaders() == 40)
        #expect(try environment.checkReaders() == 0)
    }

    @Test func openingFreesTheSlotsOfTheDeadWhileOthersHaveItOpen() throws {
        let living = try Worker("hold-reads", folder.store, "1")
        #expect(living.line() == "ready")
        let worker = try Worker("hold-reads", folder.store, "40")
        #expect(worker.line() == "ready")
        worker.kill()
        let environment = try Environment.small(at: folder.store)
        #expect(try environment.checkReaders() == 0)
    }

    @Test func aFullReaderTableIsClearedOfTheDeadByTheNextRead() throws {
        var options = EnvironmentOptions.small()
        options.readersMax = 10
        let environment = try Environment.open(directory: folder.store, options: options)
        let worker = try Worker("hold-reads", folder.store, "10")
        #expect(worker.line() == "ready")
        let error = #expect(throws: LMDBError.self) { try environment.get("a") }
        #expect(error?.code == .readersFull)
        worker.kill()
        #expect(try environment.get("a") == nil)
    }

    @Test func readsOfOneThreadTakeOneSlotHoweverManyThereAre() throws {
        let environment = try Environment.small(at: folder.store)
        for _ in 0..<5000 { _ = try environment.get("a") }
        #expect(try environment.statistics().readerSlotsUsed <= 2)
    }

    /// Kills a counting process at random instants: nothing it had acknowledged is lost, and at most one more is there.
    @Test func noAcknowledgedCommitIsLostToKills() throws {
        var acknowledged = 0
        var random = SeededGenerator(seed: 21)
        for _ in 0..<15 {
            let worker = try Worker("count", folder.store)
            let rounds = Int.random(in: 1...60, using: &random)
            for _ in 0..<rounds { acknowledged = worker.line().flatMap { Int($0) } ?? acknowledged }
            acknowledged = worker.kill().last.flatMap { Int($0) } ?? acknowledged
            let environment = try Environment.small(at: folder.store)
            let found = try #require(try environment.get("count").flatMap { Int($0) })
            #expect(found == acknowledged || found == acknowledged + 1, "seed 21")
            acknowledged = found
        }
        #expect(acknowledged >= 15)
    }

    @Test func theDescriptorsOfAnEnvironmentAreNotInherited() throws {
        let environment = try Environment.small(at: folder.store)
        try environment.put("a", "1")
        let reader = try Environment.open(directory: try copied(environment), options: .small(readOnly: true))
        var checked = 0
        for name in try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd") {
            guard let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(name)"),
                let descriptor = Int32(name), target.hasPrefix(folder.path)
            else { continue }  // closed again by another test meanwhile, or not of this one
            checked += 1
            #expect(fcntl(descriptor, F_GETFD) & FD_CLOEXEC != 0, "\(target) would be inherited")
        }
        #expect(checked >= 4)
        #expect(try reader.get("a") == "1")
    }

    private func copied(_ environment: Environment) throws -> String {
        try environment.copy(to: folder.path + "/copy")
        return folder.path + "/copy"
    }
}
