import DurableLMDB
import Foundation
import Testing

/// A directory of its own for one test, removed at the end.
final class Folder {
    let path: String

    init() throws {
        path = "\(NSTemporaryDirectory())lmdb-test-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)  // a leftover in the temporary directory harms nobody
    }

    /// Where the environment of the test goes.
    var store: String { path + "/store" }

    func contents(of directory: String? = nil) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: directory ?? path).sorted()
    }
}

/// A file system of its own, small enough to fill.
final class Volume {
    enum Kind { case memory(bytes: Int), ext4 }

    let path: String
    private let folder: Folder

    init(_ kind: Kind) throws {
        let canMount = geteuid() == 0 && access("/dev/loop-control", F_OK) == 0
        try #require(canMount, "this test needs root and loop devices: it mounts a small file system")
        folder = try Folder()
        path = folder.path + "/mount"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        switch kind {
        case .memory(let bytes): try Self.run("mount", "-t", "tmpfs", "-o", "size=\(bytes)", "none", path)
        case .ext4:
            try Self.run("truncate", "-s", "16M", folder.path + "/image")
            try Self.run("mkfs.ext4", "-q", folder.path + "/image")
            try mount()
        }
    }

    deinit {
        try? unmount()  // the test has failed already if this fails
    }

    func mount() throws { try Self.run("mount", "-o", "loop", folder.path + "/image", path) }
    func remountReadOnly() throws { try Self.run("mount", "-o", "remount,ro", path) }
    func unmount() throws { try Self.run("umount", path) }

    /// Makes every further write to the file system fail, as a dying disk does.
    func shutDown() throws {
        let descriptor = open(path, O_RDONLY)
        defer { close(descriptor) }
        var withoutFlush: UInt32 = 2
        let shutdownRequest: UInt = 0x8004_587D
        try #require(ioctl(descriptor, shutdownRequest, &withoutFlush) == 0)
    }

    private static func run(_ command: String...) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "\(command) failed")
    }
}

/// A second process, killed at the end of the test at the latest.
final class Worker {
    private let process = Process()
    private let output = Pipe()
    private var unread: [UInt8] = []

    init(_ arguments: String...) throws {
        let folder = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        let bundle = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        let places = [folder, bundle].map { $0.appendingPathComponent("LMDBTestWorker") }
        guard let executable = places.first(where: { FileManager.default.isExecutableFile(atPath: $0.path) }) else {
            throw CocoaError(.fileNoSuchFile, userInfo: [NSDebugDescriptionErrorKey: "no LMDBTestWorker at \(places)"])
        }
        process.executableURL = executable
        process.arguments = arguments
        process.standardOutput = output
        try process.run()
    }

    deinit {
        if process.isRunning { kill() }
    }

    /// The next line the process says; nil once it is gone.
    func line() -> String? {
        while true {
            if let end = unread.firstIndex(of: UInt8(ascii: "\n")) {
                defer { unread.removeFirst(end + 1) }
                return String(decoding: unread[..<end], as: UTF8.self)
            }
            let part = output.fileHandleForReading.availableData
            if part.isEmpty { return nil }
            unread.append(contentsOf: part)
        }
    }

    /// Kills the process and returns everything it had said and nobody had read.
    @discardableResult
    func kill() -> [String] {
        Glibc.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        var lines: [String] = []
        while let line = line() { lines.append(line) }
        return lines
    }
}

extension EnvironmentOptions {
    /// A small store named "test" of format 3.
    static func small(
        name: String = "test",
        version: Int = 3,
        mapBytes: Int = 1 << 20,
        mapBytesMax: Int = 1 << 30,
        readOnly: Bool = false
    ) -> EnvironmentOptions {
        var options = EnvironmentOptions(
            format: StoreFormat(name: name, version: version),
            databases: ["main", "other"]
        )
        options.mapBytesInitial = mapBytes
        options.mapBytesMax = mapBytesMax
        options.readOnly = readOnly
        return options
    }
}

extension Environment {
    static func small(at path: String) throws(LMDBError) -> Environment {
        try open(directory: path, options: .small())
    }

    var main: Database { database("main") }

    func put(_ key: String, _ value: String) throws(LMDBError) {
        try write { (transaction) throws(LMDBError) in try transaction.put(key.utf8, value.utf8, in: main) }
    }

    func get(_ key: String) throws(LMDBError) -> String? {
        try read { (transaction) throws(LMDBError) in
            try transaction.get(key.utf8, in: main).map { String(decoding: $0, as: UTF8.self) }
        }
    }
}

/// The error that opening must end with.
func refusal(opening path: String, _ options: EnvironmentOptions = .small()) -> LMDBError? {
    do throws(LMDBError) {
        try Environment.open(directory: path, options: options).close()
        return nil
    } catch {
        return error
    }
}
