import DurableActors
import DurableCore
import DurableSupervisor
import Foundation
import Glibc
import Testing

@testable import durable

/// Backups that somebody has changed who can compute their checksums. See also `KeepingTests`.
@Suite("Backups that somebody has made up", .serialized, .timeLimit(.minutes(5)))
struct HostileBackupTests {
    /// A folder with a backup in it.
    private func folder() async throws -> KeepingFolder {
        let folder = try KeepingFolder()
        let runtime = try await ActorRuntime.start(directory: folder.file("data"))
        _ = try await runtime.getOrCreate(Account.self, name: "one").add(1)
        try await endAll(runtime)
        #expect(try await KeepingTool.run("backup", folder.file("data"), folder.file("backup")).code == 0)
        return folder
    }

    /// Writes a manifest with these lines for files, and with a checksum that fits.
    private func write(_ lines: [String], to folder: KeepingFolder) throws {
        let body = "durable-backup 1\ntime 1 1970-01-01 UTC\n" + lines.map { $0 + "\n" }.joined()
        let digits = String(CRC32C.checksum(body.utf8), radix: 16)
        let end = "end crc32c \(String(repeating: "0", count: 8 - digits.count))\(digits)\n"
        try Data((body + end).utf8).write(to: URL(fileURLWithPath: folder.file("backup/manifest")))
    }

    /// The lines for files of the manifest that there is.
    private func lines(_ folder: KeepingFolder) throws -> [String] {
        let text = try String(contentsOfFile: folder.file("backup/manifest"), encoding: .utf8)
        return text.split(separator: "\n").map(String.init).filter { $0.hasPrefix("file ") }
    }

    private func expectRefusal(_ folder: KeepingFolder, _ words: String, _ what: String) async throws {
        let restore = try await KeepingTool.run("restore", folder.file("backup"), folder.file("new"))
        #expect(restore.code == 1, "\(what)")
        #expect(restore.errors.contains(words), "\(what): \(restore.errors)")
        #expect(restore.errors.split(separator: "\n").count == 1, "\(what): \(restore.errors)")
        #expect(folder.names == ["backup", "data"], "\(what): nothing is left, inside or outside")
    }

    @Test("a manifest that names files elsewhere is refused, and nothing is written")
    func pathsElsewhere() async throws {
        let folder = try await folder()
        let sound = try lines(folder)
        for path in [
            "../outside", "/tmp/durable-outside", "shards/../../outside", "shards/1/../../../outside",
            "shards//data.mdb",
            "shards/1/socket", "supervisor/../data.mdb", "supervisor/lock", "./supervisor/data.mdb",
            "shards/+1/data.mdb",
            "shards/01/data.mdb", "shards/-1/data.mdb", "shards/1/data.mdb/", "manifest", "",
        ] {
            try write(sound + ["file \(path) bytes 0 crc32c 00000000 epoch 0 version 0"], to: folder)
            try await expectRefusal(folder, "has a line that is none", path)
        }
        try write(sound + [sound[0]], to: folder)
        try await expectRefusal(folder, "File exists", "the same file twice")
        try write(sound, to: folder)
        #expect(try await KeepingTool.run("restore", folder.file("backup"), folder.file("new")).code == 0)
    }

    @Test("links, pipes, devices and files without end in a backup are refused, and nobody waits for them")
    func strangeFiles() async throws {
        let folder = try await folder()
        let file = folder.file("backup/shards/1/data.mdb")
        let kept = folder.file("backup/kept")
        try #require(rename(file, kept) == 0)
        for target in [kept, "/dev/zero", "/etc/passwd"] {
            try #require(symlink(target, file) == 0)
            try await expectRefusal(folder, "it is a link", target)
            unlink(file)
        }
        try #require(mkfifo(file, 0o600) == 0)
        try await expectRefusal(folder, "is no plain file", "a pipe")
        unlink(file)
        try #require(mkdir(file, 0o700) == 0)
        try await expectRefusal(folder, "is no plain file", "a directory")
        rmdir(file)
        // Longer than its line says, by more than any disk has.
        try #require(creat(file, 0o600) >= 0 && truncate(file, 1 << 42) == 0)
        try await expectRefusal(folder, "is not what was backed up: it has more than", "a huge file")
        unlink(file)
        try #require(rename(kept, file) == 0)
        let manifest = folder.file("backup/manifest")
        try #require(rename(manifest, folder.file("backup/kept")) == 0)
        try #require(symlink("/dev/zero", manifest) == 0)
        try await expectRefusal(folder, "it is a link", "the manifest a link")
        unlink(manifest)
        try #require(mkfifo(manifest, 0o600) == 0)
        try await expectRefusal(folder, "is no plain file", "the manifest a pipe")
        unlink(manifest)
        try #require(creat(manifest, 0o600) >= 0 && truncate(manifest, 1 << 40) == 0)
        try await expectRefusal(folder, "is too large", "a huge manifest")
        unlink(manifest)
        try #require(rename(folder.file("backup/kept"), manifest) == 0)
        #expect(try await KeepingTool.run("restore", folder.file("backup"), folder.file("new")).code == 0)
        #expect(try await KeepingTool.run("verify", folder.file("new")).code == 0)
    }

    @Test("what others have put where a new directory is made is neither followed nor removed")
    func linksWhereThingsAreMade() throws {
        let folder = try KeepingFolder()
        let victim = folder.file("victim")
        try FileManager.default.createDirectory(atPath: victim, withIntermediateDirectories: false)
        try Data("precious".utf8).write(to: URL(fileURLWithPath: "\(victim)/file"))
        let staging = folder.file(".new.partial.\(getpid())")
        try #require(symlink(victim, staging) == 0)
        let failure = #expect(throws: Failure.self) { try NewDirectory(folder.file("new")) }
        #expect(failure?.description.contains("File exists") == true)
        #expect(RuntimeDirectory.entries(of: victim) == ["file"])
        unlink(staging)
        try #require(symlink(victim, folder.file("new")) == 0)
        #expect(throws: Failure.self) { try NewDirectory(folder.file("new")) }
        #expect(RuntimeDirectory.entries(of: victim) == ["file"])
        #expect(folder.names == ["new", "victim"])
    }

    @Test("files of backups and of what is restored are the owner's alone under any umask")
    func modes() async throws {
        let folder = try await folder()
        for mask in ["0", "777"] {
            let (backup, new) = (folder.file("backup-\(mask)"), folder.file("new-\(mask)"))
            for arguments in [["backup", folder.file("data"), backup], ["restore", backup, new]] {
                let tool = try await KeepingTool.run(arguments, shell: "umask \(mask)")
                #expect(tool.code == 0, "\(tool.errors)")
                for name in [""] + (try FileManager.default.subpathsOfDirectory(atPath: arguments[2])) {
                    var status = stat()
                    try #require(lstat("\(arguments[2])/\(name)", &status) == 0)
                    let expected: UInt32 = status.st_mode & S_IFMT == S_IFDIR ? 0o700 : 0o600
                    #expect(status.st_mode & 0o7777 == expected, "\(name) with umask \(mask)")
                }
            }
        }
    }
}
