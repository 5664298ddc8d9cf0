import DurableActors
import Foundation
import Testing

/// Something with a layout.
distributed actor Shelf: DurableActor {
    @Checkpointed var books = 3

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func count() -> Int { books }
}

@Suite("The schema command", .serialized)
struct SchemaCommandTests {
    @Test("it locks the layouts of a data directory, and its exit code says whether they still fit")
    func locksAndChecks() async throws {
        let folder = "\(NSTemporaryDirectory())schema-test-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }  // a leftover harms nobody
        let (data, file) = ("\(folder)/data", "\(folder)/schema.lock")
        try await ActorRuntime.withRuntime(directory: data) { runtime in
            let shelf = try await runtime.spawn(Shelf.self)
            #expect(try await shelf.count() == 3)
            #expect(try durable("schema", data, "--write", file).status == 0)
            let written = try String(contentsOfFile: file, encoding: .utf8)
            #expect(written.contains("actor DurableCLITests.Shelf, schema version 1\n    books: Int\n"))
            #expect(try durable("schema", data).output == written)
            #expect(try durable("schema", data, "--check", file, "--exact").status == 0)

            let changed = written.replacing("books: Int", with: "books: String")
            try changed.write(toFile: file, atomically: true, encoding: .utf8)
            let (status, output) = try durable("schema", data, "--check", file)
            #expect(status == 1)
            #expect(output.contains("incompatible: DurableCLITests.Shelf: books was String and is Int"))

            let grown = written.replacing("    books: Int\n", with: "")
            try grown.write(toFile: file, atomically: true, encoding: .utf8)
            #expect(try durable("schema", data, "--check", file).status == 0)
            #expect(try durable("schema", data, "--check", file, "--exact").status == 1)
        }
        #expect(try durable("schema", "\(folder)/none").status == 1)
        #expect(try durable("schema", data, "--write", file, "--check", file).status == 64)
    }

    private func durable(_ arguments: String...) throws -> (status: Int32, output: String) {
        let executable = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: executable).deletingLastPathComponent()
            .appendingPathComponent("durable")
        process.arguments = arguments
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let bytes = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: bytes, as: UTF8.self))
    }
}
