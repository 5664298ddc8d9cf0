import DurableActors
import Foundation
import Testing

/// The program in `docs/checkpoint-format.md` is all that somebody needs to read what is stored.
@Suite(.serialized) struct FormatDocumentTests {
    @Test func `the document's program reads an actor's state straight from the files`() async throws {
        let scratch = ScratchDirectory()
        let runtime = try await ActorRuntime.start(directory: scratch.file("data"))
        let archive = try await runtime.getOrCreate(Archive.self, name: "papers")
        for number in 0..<3 { _ = try await archive.put("größe \(number)", number) }
        _ = try await archive.noteTwice(String(repeating: "long ", count: 100_000), times: 0, log: scratch.file("log"))
        let supervisor = try #require(runtime.supervisorProcessID)
        let worker = try await runtime.process(of: archive)
        await runtime.shutdown()
        for pid in [supervisor, worker] { kill(pid, SIGKILL) }

        let document = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("docs/checkpoint-format.md")
        let text = try String(contentsOf: document, encoding: .utf8)
        let program = try #require(
            text.components(separatedBy: "```python\n").last?.components(separatedBy: "```").first
        )
        try program.write(toFile: scratch.file("read.py"), atomically: true, encoding: .utf8)
        let output = try python([scratch.file("read.py"), scratch.file("data/shards/1")])
        #expect(output.contains("'name': 'papers'"), "\(output.prefix(2000))")
        #expect(output.contains("entries = {'größe 0': [0], 'größe 1': [1], 'größe 2': [2]}"), "\(output.prefix(2000))")
        #expect(output.contains("log = ['made', 'größe 0', 'größe 1', 'größe 2']"), "\(output.prefix(2000))")
        #expect(output.contains("members = [0, 1, 2]"), "\(output.prefix(2000))")
        #expect(output.contains("note = " + String(repeating: "long ", count: 100_000) + "!"), "a value in portions")
    }

    private func python(_ arguments: [String]) throws -> String {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["PYTHONIOENCODING=utf-8", "python3"] + arguments
        process.standardOutput = output
        try process.run()
        let bytes = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "python3 with the packages lmdb and cbor2 is needed")
        return String(decoding: bytes, as: UTF8.self)
    }
}
