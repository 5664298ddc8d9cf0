import DurableActors
import DurableChaos
import DurableLMDB
import Foundation
import Glibc
import Testing

/// Directories that cannot be shown: one line that names what is wrong, and nothing changed.
@Suite("What durable inspect refuses", .timeLimit(.minutes(2)))
struct InspectRefusalTests {
    private func expectRefusal(
        _ directory: String,
        _ expected: [String],
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        // The nearest directory above it that exists.
        var parent = directory
        repeat { parent = URL(fileURLWithPath: parent).deletingLastPathComponent().path } while !isDirectory(parent)
        let before = try Snapshot(parent, locks: true)
        for arguments in [["inspect", directory], ["inspect", directory, "--json"]] {
            try await Tool.run(arguments).expectOneLine(expected, sourceLocation: sourceLocation)
        }
        #expect(try before.differences(Snapshot(parent, locks: true)) == [], sourceLocation: sourceLocation)
    }

    private func isDirectory(_ path: String) -> Bool {
        var isDirectory: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
    }

    /// A directory with two detached actors, `one` and `two`, and no process.
    private func filled(_ scratch: ScratchDirectory) async throws -> String {
        let directory = scratch.file("data")
        try await ActorRuntime.withRuntime(directory: directory) { runtime in
            for name in ["one", "two"] {
                let notes = try await runtime.spawn(Notebook.self, options: .default.detached(name: name))
                _ = try await notes.write("kept by \(name)")
            }
        }
        try await killEverything(in: directory)
        return directory
    }

    private func create(_ directory: String, _ format: StoreFormat) throws {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let options = EnvironmentOptions(format: format, databases: ["meta", "actors", "drivers", "ledger"])
        try Environment.open(directory: directory, options: options).close()
    }

    @Test("a directory that is missing, a file, or a directory of something else")
    func refusesStrangers() async throws {
        let scratch = try ScratchDirectory()
        try await expectRefusal(scratch.file("missing"), ["there is no directory \(scratch.file("missing"))"])
        let file = try scratch.file("file", holding: "text")
        try await expectRefusal(file, ["\(file) is not a directory"])
        try await expectRefusal("\(file)/below", ["\(file)/below"])
        let empty = scratch.file("empty")
        try FileManager.default.createDirectory(atPath: empty, withIntermediateDirectories: false)
        try await expectRefusal(empty, ["\(empty) is not the directory of a runtime"])
        try create(scratch.file("foreign/supervisor"), StoreFormat(name: "other-program", version: 1))
        try await expectRefusal(scratch.file("foreign"), [scratch.file("foreign"), "other-program"])
    }

    @Test("a registry of a newer version of the package")
    func refusesNewerRegistry() async throws {
        let scratch = try ScratchDirectory()
        try create(scratch.file("data/supervisor"), StoreFormat(name: "durable-registry", version: 2))
        try await expectRefusal(
            scratch.file("data"),
            ["\(scratch.file("data"))/supervisor/data.mdb", "format 2", "up to 1", "newer version"]
        )
    }

    @Test("a damaged registry", arguments: ["", "garbage", "half", "zeros"])
    func refusesDamagedRegistry(kind: String) async throws {
        let scratch = try ScratchDirectory()
        let directory = try await filled(scratch)
        let file = URL(fileURLWithPath: "\(directory)/supervisor/data.mdb")
        try damaged(try Data(contentsOf: file), kind).write(to: file)
        try await expectRefusal(directory, [file.path, "damaged"])
    }

    @Test(
        "a damaged shard is named and fails the command; the others are shown",
        arguments: ["half", "zeros", "newer"]
    )
    func showsTheOthers(kind: String) async throws {
        let scratch = try ScratchDirectory()
        let directory = try await filled(scratch)
        let shard = "\(directory)/shards/1"
        let file = URL(fileURLWithPath: "\(shard)/data.mdb")
        if kind == "newer" {
            try FileManager.default.removeItem(atPath: shard)
            try create(shard, StoreFormat(name: "durable-shard", version: 2))
        } else {
            try damaged(try Data(contentsOf: file), kind).write(to: file)
        }
        let before = try Snapshot(directory, locks: false)
        let ending = try await Tool.run(["inspect", directory])
        #expect(ending.code == 1)
        #expect(ending.errorLines.count == 1)
        #expect(ending.error.hasPrefix("durable: one cannot be read: ") && ending.error.contains(file.path))
        #expect(ending.output.contains("one cannot be read: ") && ending.output.contains("kept by two"))
        let json = try await Tool.run(["inspect", directory, "--json"])
        #expect(json.code == 1)
        let value = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any]
        let problems = (value?["actors"] as? [[String: Any]])?.map { $0["problem"] as? String }
        #expect(problems?.count == 2 && problems?[0]?.contains(file.path) == true && problems?[1] == nil)
        let healthy = try await Tool.run(["inspect", directory, "--actor", "two"])
        #expect(healthy.code == 0, "\(healthy.error)")
        #expect(try before.differences(Snapshot(directory, locks: false)) == [])
    }

    @Test("whatever is inside a data file, the tool shows it or says one line; it never crashes")
    func survivesAnyPage() async throws {
        let scratch = try ScratchDirectory()
        let directory = try await filled(scratch)
        let seed = UInt64.random(in: 0...UInt64(UInt32.max))
        var generator = SeededGenerator(seed: seed)
        for name in ["supervisor", "shards/1"] {
            let file = URL(fileURLWithPath: "\(directory)/\(name)/data.mdb")
            let whole = try Data(contentsOf: file)
            for round in 0..<40 {
                var bytes = whole
                for _ in 0..<Int.random(in: 1...4, using: &generator) {
                    // Page headers and node tables, at the start of pages, are what a reader follows.
                    let page = Int.random(in: 0..<whole.count / 4096, using: &generator) * 4096
                    let place = page + Int.random(in: 0..<64, using: &generator)
                    bytes[place] = UInt8.random(in: 0...255, using: &generator)
                }
                try bytes.write(to: file)
                let ending = try await Tool.run(["inspect", directory, "--json"])
                let isCalm = ending.code == 0 && ending.error == "" || ending.code == 1 && ending.errorLines.count == 1
                #expect(isCalm, "seed \(seed), round \(round) of \(name), status \(ending.status): \(ending.error)")
            }
            try whole.write(to: file)
        }
    }

    private func damaged(_ bytes: Data, _ kind: String) -> Data {
        switch kind {
        case "garbage": Data("not a data file at all\n".utf8)
        case "half": bytes.prefix(bytes.count / 2)
        case "zeros": Data(count: bytes.count)
        default: Data()
        }
    }
}
