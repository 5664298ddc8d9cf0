import DurableChaos
import DurableLMDB
import Foundation
import Testing

@Suite(.timeLimit(.minutes(2)))
struct CreationTests {
    private let folder: Folder

    init() throws { folder = try Folder() }

    private func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }

    @Test(arguments: ["000", "022", "077", "777"]) func modesDoNotDependOnTheUmask(_ umask: String) throws {
        let worker = try Worker("open-with-umask", folder.store, umask)
        #expect(worker.line() == "done")
        #expect(try folder.contents() == ["store", "store-copy"])
        #expect(try folder.contents(of: folder.store) == ["data.mdb", "lock.mdb"])
        #expect(try mode(folder.store) == 0o700)
        #expect(try mode(folder.store + "/data.mdb") == 0o600)
        #expect(try mode(folder.store + "/lock.mdb") == 0o600)
        #expect(try mode(folder.store + "-copy") == 0o700)
        #expect(try mode(folder.store + "-copy/data.mdb") == 0o600)
    }

    @Test func aDirectoryWithOtherFilesGetsADataFileAndKeepsTheRest() throws {
        try FileManager.default.createDirectory(atPath: folder.store, withIntermediateDirectories: false)
        try Data("other".utf8).write(to: URL(fileURLWithPath: folder.store + "/socket"))
        let environment = try Environment.small(at: folder.store)
        try environment.put("a", "1")
        #expect(try folder.contents(of: folder.store) == ["data.mdb", "lock.mdb", "socket"])
        #expect(try Data(contentsOf: URL(fileURLWithPath: folder.store + "/socket")) == Data("other".utf8))
        #expect(try mode(folder.store + "/data.mdb") == 0o600)
    }

    @Test func relativePathsAndTrailingSlashesWork() throws {
        let relative = folder.path.split(separator: "/").reduce(into: "") { path, part in path += "/" + part }
        let environment = try Environment.small(at: "../../../../../../../../../.." + relative + "/store//")
        try environment.put("a", "1")
        environment.close()
        #expect(try Environment.small(at: folder.store).get("a") == "1")
    }

    /// Kills a process that creates one environment after the other. Every directory is absent or complete, and what is
    /// left over goes with the next creation.
    @Test func aKilledCreatorLeavesNothingOrAWholeEnvironment() throws {
        var random = SeededGenerator(seed: 31)
        var leftovers = 0
        var round = 0
        // Thirty rounds, and more where the machine is so fast or so slow that none of them met a creation.
        while round < 30 || (leftovers == 0 && round < 500) {
            defer { round += 1 }
            let parent = folder.path + "/\(round)"
            try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: false)
            for number in 0..<200 where number % 2 == 1 {
                // Half of the directories exist before, so both ways of creating are met.
                let path = "\(parent)/\(number)"
                try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
            }
            let worker = try Worker("create", parent)
            for _ in 0..<Int.random(in: 1...4, using: &random) { _ = worker.line() }
            let deadline = ContinuousClock.now + .microseconds(Int.random(in: 0...3000, using: &random))
            while ContinuousClock.now < deadline {}
            let begun = worker.kill().last.flatMap { Int($0) } ?? 4
            leftovers += try leftoversBelow(parent)
            for number in 0...begun {
                let path = "\(parent)/\(number)"
                let error = refusal(opening: path)
                #expect(error == nil, "seed 31, round \(round), \(path)")
            }
            #expect(try leftoversBelow(parent) == 0, "seed 31, round \(round)")
        }
        #expect(leftovers > 0, "no kill hit a creation, so nothing was tested")
    }

    private func leftoversBelow(_ parent: String) throws -> Int {
        let all = try #require(FileManager.default.enumerator(atPath: parent))
        return all.compactMap { $0 as? String }.filter { $0.hasSuffix("/") == false && isLeftover($0) }.count
    }

    private func isLeftover(_ path: String) -> Bool {
        path.split(separator: "/").last?.contains(".creating.") == true
    }

    @Test func manyCreatorsOfOneEnvironmentAllGetIt() throws {
        for round in 0..<5 {
            let store = folder.path + "/\(round)"
            if round % 2 == 0 {
                try FileManager.default.createDirectory(atPath: store, withIntermediateDirectories: false)
            }
            let workers = try (0..<4).map { _ in try Worker("fill", store, "20") }
            for worker in workers { #expect(worker.line() == "done") }
            let names = try folder.contents().filter { $0.contains(".creating.") }
            #expect(names.isEmpty)
            #expect(try Environment.small(at: store).statistics().entries["main"] == 20)
        }
    }

    @Test func aCopyHoldsOneViewAndReplacesNothing() throws {
        let environment = try Environment.small(at: folder.store)
        for number in 0..<500 { try environment.put("key\(number)", String(repeating: "v", count: 500)) }
        try environment.tryWrite { _ = try $0.deletePrefix("key1".utf8, in: environment.main) }
        let copy = folder.path + "/copy"
        try environment.copy(to: copy)
        let before = try FileBytes(copy)
        #expect(before.bytes.count < (try FileBytes(folder.store).bytes.count))
        let error = #expect(throws: LMDBError.self) { try environment.copy(to: copy) }
        #expect(error?.code == .alreadyExists)
        #expect(try FileBytes(copy) == before)
        let copied = try Environment.small(at: copy)
        #expect(try copied.statistics().entries == environment.statistics().entries)
        #expect(try copied.get("key2") == environment.get("key2"))
        #expect(try folder.contents() == ["copy", "store"])
    }

    @Test func statisticsCountFreedPages() throws {
        let environment = try Environment.small(at: folder.store)
        try environment.put("large", String(repeating: "v", count: 200_000))
        try environment.tryWrite { try $0.deleteAll(in: environment.main) }
        let statistics = try environment.statistics()
        #expect(statistics.freeBytes >= 200_000)
        #expect(statistics.freeBytes < statistics.usedBytes)
        let last = statistics.lastTransaction
        try environment.put("a", "1")
        #expect(try environment.statistics().lastTransaction == last + 1)
    }
}
