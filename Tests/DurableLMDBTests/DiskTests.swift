import DurableLMDB
import Foundation
import Testing

/// Full and failing disks, on real file systems that need root to mount.
@Suite(.timeLimit(.minutes(2)))
struct DiskTests {
    /// Writes until it fails, and returns how with the number of commits before.
    private func fill(_ environment: Environment) -> (error: LMDBError?, commits: Int) {
        let value = [UInt8](repeating: 3, count: 10_000)
        for number in 0..<10_000 {
            do throws(LMDBError) {
                try environment.write { (transaction) throws(LMDBError) in
                    try transaction.put("fill\(number)".utf8, value, in: environment.main)
                }
            } catch { return (error, number) }
        }
        return (nil, 10_000)
    }

    @Test func aFullDiskIsReportedAndDeletesMakeRoomAgain() throws {
        let volume = try Volume(.memory(bytes: 1 << 20))
        let environment = try Environment.small(at: volume.path + "/store")
        for _ in 0..<3 {
            let (error, commits) = fill(environment)
            #expect(error?.code == .noSpace)
            #expect(error?.message.contains(volume.path) == true)
            #expect(environment.isUsable && !environment.mustReopen)
            #expect(commits > 20)
            #expect(try environment.statistics().entries["main"] == commits, "a committed entry is missing")
            let deleted = try environment.tryWrite { try $0.deletePrefix("fill".utf8, in: environment.main) }
            #expect(deleted == commits)
            try environment.put("after", "1")
            #expect(try environment.get("after") == "1")
            try environment.tryWrite { _ = try $0.delete("after".utf8, in: environment.main) }
        }
        environment.close()
        #expect(try Environment.small(at: volume.path + "/store").get("fill0") == nil)
    }

    @Test func aLimitOnTheSizeOfFilesCountsAsAFullDisk() throws {
        let folder = try Folder()
        let worker = try Worker("file-limit", folder.store)
        #expect(worker.line() == "noSpace")
        #expect(worker.line() == "usable")
        #expect(try folder.contents() == ["store"])
    }

    @Test func aFullDiskFailsACreationWithoutATrace() throws {
        let volume = try Volume(.memory(bytes: 1 << 20))
        let filler = volume.path + "/filler"
        #expect(FileManager.default.createFile(atPath: filler, contents: Data(count: (1 << 20) - 4096)))
        let error = refusal(opening: volume.path + "/store")
        #expect(error?.code == .noSpace)
        #expect(try FileManager.default.contentsOfDirectory(atPath: volume.path) == ["filler"])
        try FileManager.default.removeItem(atPath: filler)
        #expect(refusal(opening: volume.path + "/store") == nil)
    }

    @Test func aMountPointCanBeTheDirectory() throws {
        let volume = try Volume(.memory(bytes: 4 << 20))
        let environment = try Environment.small(at: volume.path)
        try environment.put("a", "1")
        #expect(try environment.get("a") == "1")
        environment.close()
    }

    @Test func aReadOnlyFileSystemCanBeReadButNotWritten() throws {
        let volume = try Volume(.ext4)
        let store = volume.path + "/store"
        let environment = try Environment.small(at: store)
        try environment.put("a", "1")
        environment.close()
        try volume.remountReadOnly()
        let error = refusal(opening: store)
        #expect(error?.code == .readOnlyFileSystem)
        #expect(error?.message.contains(store) == true)
        #expect(refusal(opening: volume.path + "/new")?.code == .readOnlyFileSystem)
        let reader = try Environment.open(directory: store, options: .small(readOnly: true))
        #expect(try reader.get("a") == "1")
        reader.close()
    }

    @Test func aCreatedEnvironmentIsThereAfterAPowerLoss() throws {
        let volume = try Volume(.ext4)
        let stores = ["new", "existing"].map { "\(volume.path)/\($0)" }
        try FileManager.default.createDirectory(atPath: stores[1], withIntermediateDirectories: false)
        sync()
        // One power loss each: what flushes the one could flush the other as well.
        for store in stores {
            try Environment.small(at: store).close()
            try volume.shutDown()
            try volume.unmount()
            try volume.mount()
            var options = EnvironmentOptions.small()
            options.createsIfMissing = false
            #expect(refusal(opening: store, options) == nil)
        }
    }

    @Test func afterADiskFailureWritesAreRefusedUntilItIsOpenedAgain() throws {
        let volume = try Volume(.ext4)
        let store = volume.path + "/store"
        let environment = try Environment.small(at: store)
        try environment.put("a", "1")
        try volume.shutDown()
        let first = #expect(throws: LMDBError.self) { try environment.put("a", "2") }
        #expect(first?.code == .ioError || first?.code == .readOnlyFileSystem)
        #expect(environment.mustReopen && !environment.isUsable)
        let second = #expect(throws: LMDBError.self) { try environment.put("a", "3") }
        #expect(second?.code == .panic)
        #expect(second?.message.contains("open it again") == true)
        environment.close()
        try volume.unmount()
        try volume.mount()
        let again = try Environment.small(at: store)
        #expect(try again.get("a") == "1")
        try again.put("a", "4")
        #expect(try again.get("a") == "4")
        again.close()
    }
}
