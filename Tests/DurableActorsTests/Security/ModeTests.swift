import DurableActors
import DurableSupervisor
import Foundation
import Glibc
import Testing

/// Who can get at the files of a runtime, whatever the umask of the program that made them.
@Suite(.serialized, .timeLimit(.minutes(2))) struct ModeTests {
    @Test(arguments: ["0", "777", "22"], [true, false])
    func `all files of a runtime are the owner's alone under any umask`(mask: String, isTemporary: Bool) async throws {
        let scratch = ScratchDirectory()
        let driver = try TestProcess(
            ["everything", mask, isTemporary ? "-" : scratch.file("data")],
            environment: ["TMPDIR": scratch.path],
            errors: scratch.file("errors")
        )
        defer { driver.end() }
        let directory = driver.line
        let errors = try String(contentsOfFile: scratch.file("errors"), encoding: .utf8)
        try #require(directory.hasPrefix(scratch.path), "\(errors)")
        try await eventually("a snapshot is made") {
            RuntimeDirectory.entries(of: "\(directory)/shards/2/snapshots")
        } is: {
            !$0.isEmpty
        }
        let unusual = try FileModes.unusual(in: directory)
        #expect(unusual == [])
        let names = Set(try FileManager.default.subpathsOfDirectory(atPath: directory))
        for name in ["supervisor/lock", "supervisor/socket", "supervisor/log", "shards/1/data.mdb", "shards/1/socket"] {
            #expect(names.contains(name), "\(name) was looked at")
        }
        for kind in ["supervisor/stderr/", "objects/", "shards/2/snapshots/"] {
            #expect(names.contains { $0.hasPrefix(kind) }, "something of \(kind) was looked at")
        }
    }

    @Test func `rehearsals and shared values leave no file that others can open`() async throws {
        let scratch = ScratchDirectory()
        let before = Set(try FileModes.loose(in: "/dev/shm"))
        let driver = try TestProcess(["everything", "0", scratch.file("data")], errors: scratch.file("errors"))
        defer { driver.end() }
        let added = Set(try FileModes.loose(in: "/dev/shm")).subtracting(before).filter { $0.contains("durable") }
        #expect(added == [])
    }

    @Test(arguments: ["supervisor", "shards", "supervisor/stderr"])
    func `a directory inside that others can write is refused, and so is one of another user`(name: String) async throws
    {
        try #require(geteuid() == 0, "this test needs root: it gives a directory to another user")
        let scratch = ScratchDirectory()
        let layout = RuntimeLayout(directory: scratch.file("data"))
        try RuntimeDirectory.prepare(layout)
        let path = "\(layout.directory)/\(name)"
        chmod(path, 0o777)
        let loose = #expect(throws: ActorError.self) { try RuntimeDirectory.prepare(layout) }
        #expect(loose?.code == .directoryUnusable)
        #expect(loose?.message.contains("\(path) can be written by others") == true)
        chmod(path, 0o700)
        chown(path, 65534, 65534)
        let foreign = #expect(throws: ActorError.self) { try RuntimeDirectory.prepare(layout) }
        #expect(foreign?.message.contains("\(path) belongs to user 65534") == true)
    }
}
