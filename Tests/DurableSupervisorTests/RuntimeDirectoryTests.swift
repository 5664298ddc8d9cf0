import DurableCore
import DurableSupervisor
import Foundation
import Testing

@Suite(.timeLimit(.minutes(1)))
struct RuntimeDirectoryTests {
    private let folder: Folder
    private let files = FileManager.default

    init() throws { folder = try Folder() }

    private func refusal(_ directory: String) -> ActorError? {
        actorError { try RuntimeDirectory.prepare(RuntimeLayout(directory: directory)) }
    }

    private func isDirectory(_ path: String) -> Bool {
        var isDirectory: ObjCBool = false
        return files.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
    }

    @Test func whatIsMissingIsCreatedForTheOwnerAloneAndParentsToo() throws {
        let layout = RuntimeLayout(directory: folder.path + "/a/b/runtime")
        for _ in 0..<2 {
            try RuntimeDirectory.prepare(layout)
            for path in [folder.path + "/a", layout.directory, layout.supervisor, layout.shards, layout.stderr] {
                #expect(isDirectory(path))
                #expect(try folder.mode(path) == 0o700, "\(path)")
            }
        }
    }

    @Test func aTrailingSlashAndAnExistingDirectoryAreFine() throws {
        try files.createDirectory(atPath: folder.layout.directory, withIntermediateDirectories: false)
        try folder.setMode(0o755, of: folder.layout.directory)
        #expect(refusal(folder.layout.directory + "/") == nil)
        #expect(isDirectory(folder.layout.supervisor))
        #expect(try folder.mode(folder.layout.directory) == 0o755, "an existing directory keeps its mode")
    }

    @Test func aPathTooLongForSocketsIsRefusedWithTheLongestAllowed() throws {
        let long = "/tmp/" + String(repeating: "x", count: 100)
        let error = try #require(refusal(long))
        #expect(error.code == .directoryUnusable)
        #expect(error.message.contains("has 105 bytes"))
        #expect(!files.fileExists(atPath: long))
        let digits = try #require(error.message.firstMatch(of: /at most (\d+) bytes/)?.1)
        let room = try #require(Int(digits))
        for (count, isAllowed) in [(room, true), (room + 1, false)] {
            let layout = RuntimeLayout(directory: "/" + String(repeating: "x", count: count - 1))
            #expect((actorError { try RuntimeDirectory.checkSocketPath(layout) } == nil) == isAllowed)
            #expect((layout.shardSocket(99_999_999).utf8.count <= 107) == isAllowed)
        }
    }

    @Test func aRelativePathIsRefused() {
        let error = refusal("some/where")
        #expect(error?.code == .directoryUnusable)
        #expect(error?.message == "the directory some/where is not an absolute path")
        #expect(!files.fileExists(atPath: "some"))
    }

    @Test(arguments: [0o777, 0o770, 0o720, 0o702]) func aDirectoryThatOthersCanWriteToIsRefused(mode: Int) throws {
        try files.createDirectory(atPath: folder.layout.directory, withIntermediateDirectories: false)
        try folder.setMode(mode, of: folder.layout.directory)
        let error = refusal(folder.layout.directory)
        #expect(error?.code == .directoryUnusable)
        #expect(error?.message.contains(folder.layout.directory) == true)
        #expect(error?.message.contains("can be written by others") == true)
        #expect(try files.contentsOfDirectory(atPath: folder.layout.directory).isEmpty)
    }

    @Test func aDirectoryOfAnotherUserIsRefused() throws {
        try #require(geteuid() == 0, "this test needs root: it gives a directory to another user")
        try files.createDirectory(atPath: folder.layout.directory, withIntermediateDirectories: false)
        try #require(chown(folder.layout.directory, 12345, 12345) == 0)
        let error = refusal(folder.layout.directory)
        #expect(error?.code == .directoryUnusable)
        #expect(error?.message.contains("belongs to user 12345, this process runs as user 0") == true)
    }

    @Test func aLinkIsFollowedIfItsMakerMayUseTheDirectoryAnywayAndRefusedFromAnybodyElse() throws {
        try #require(geteuid() == 0, "this test needs root: it gives a link to another user")
        let real = folder.path + "/real"
        try files.createDirectory(
            atPath: real,
            withIntermediateDirectories: false,
            attributes: [.posixPermissions: 0o700]
        )
        try files.createSymbolicLink(atPath: folder.layout.directory, withDestinationPath: real)
        try #require(lchown(folder.layout.directory, 12345, 12345) == 0)
        let error = refusal(folder.layout.directory)
        #expect(error?.code == .directoryUnusable)
        #expect(error?.message.contains("is a link that user 12345 has made") == true)
        #expect(try files.contentsOfDirectory(atPath: real).isEmpty)
        try #require(lchown(folder.layout.directory, 0, 0) == 0)
        #expect(refusal(folder.layout.directory) == nil)
        #expect(isDirectory(real + "/supervisor"))
    }

    @Test func removalDoesNotFollowALinkInPlaceOfTheDirectory() throws {
        let victim = folder.path + "/victim"
        try files.createDirectory(atPath: victim + "/below", withIntermediateDirectories: true)
        try Data("kept".utf8).write(to: URL(fileURLWithPath: victim + "/file"))
        let link = folder.path + "/link"
        try files.createSymbolicLink(atPath: link, withDestinationPath: victim)
        RuntimeDirectory.remove(link)
        RuntimeDirectory.remove(link + "/")
        #expect(try files.contentsOfDirectory(atPath: victim).sorted() == ["below", "file"])
        RuntimeDirectory.remove(victim)
        #expect(!files.fileExists(atPath: victim))
    }

    @Test(arguments: ["", "/supervisor", "/shards", "/supervisor/stderr"])
    func aFileInPlaceOfADirectoryIsRefusedAndKept(place: String) throws {
        let path = folder.layout.directory + place
        let parent = URL(fileURLWithPath: path).deletingLastPathComponent()
        try files.createDirectory(at: parent, withIntermediateDirectories: true)
        for made in [folder.layout.directory, folder.layout.supervisor] where isDirectory(made) {
            try folder.setMode(0o700, of: made)
        }
        try Data("mine".utf8).write(to: URL(fileURLWithPath: path))
        let error = refusal(folder.layout.directory)
        #expect(error?.code == .directoryUnusable)
        #expect(error?.message == "the directory \(path) is not a directory")
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == Data("mine".utf8))
    }

    @Test func aFileInPlaceOfAParentIsRefused() throws {
        try Data().write(to: URL(fileURLWithPath: folder.path + "/file"))
        let error = refusal(folder.path + "/file/runtime")
        #expect(error?.code == .directoryUnusable)
        #expect(error?.message.contains("Not a directory") == true)
    }

    @Test func removalTakesTheTreeAndNothingThatLinksLeadTo() throws {
        try RuntimeDirectory.prepare(folder.layout)
        let outside = folder.path + "/outside"
        try files.createDirectory(atPath: outside, withIntermediateDirectories: false)
        try Data("kept".utf8).write(to: URL(fileURLWithPath: outside + "/file"))
        try files.createSymbolicLink(atPath: folder.layout.shards + "/link", withDestinationPath: outside)
        try files.createDirectory(atPath: folder.layout.shard(1) + "/deep/deeper", withIntermediateDirectories: true)
        try Data().write(to: URL(fileURLWithPath: folder.layout.shard(1) + "/deep/file"))
        RuntimeDirectory.remove(folder.layout.directory)
        #expect(!files.fileExists(atPath: folder.layout.directory))
        #expect(try files.contentsOfDirectory(atPath: outside) == ["file"])
        RuntimeDirectory.remove(folder.layout.directory)
    }

    @Test func entriesAreTheNamesInADirectory() throws {
        try RuntimeDirectory.prepare(folder.layout)
        #expect(RuntimeDirectory.entries(of: folder.layout.directory).sorted() == ["shards", "supervisor"])
        #expect(RuntimeDirectory.entries(of: folder.path + "/missing").isEmpty)
    }
}
