import DurableActors
import DurableCore
import DurableLMDB
import DurableSupervisor
import Foundation
import Testing

@testable import DurableStore

/// State that earlier builds of the framework have stored, kept as text files in `Tests/Golden`, in this build's hands.
///
/// With `DURABLE_GOLDEN=write` in the environment, the file of the current format version is written.
@Suite(.serialized) struct GoldenTests {
    @Test(arguments: try GoldenFile.all) func `state of every earlier build is read, and can be changed`(
        name: String
    ) async throws {
        let golden = try GoldenFile(file: "\(GoldenFile.folder)/\(name)")
        let builds = StoredBuilds()
        _ = try await builds.serve(GoldenActor.self) { try await $0.problems() }
        let actor = try builds.stored().id
        try golden.replace(shard: builds.layout.shard(1), of: actor)
        #expect(try await builds.serve(GoldenActor.self) { try await $0.problems() } == [])

        let records = golden.rows.filter {
            $0.database == ShardLayout.done && $0.key.suffix(8) != [0, 0, 0, 0, 0, 0, 0, 0]
        }
        #expect(!records.isEmpty)
        try builds.change { store, actor in
            for record in records {
                let sequence = record.key.suffix(8).reduce(0) { $0 << 8 | UInt64($1) }
                let id = CallID(session: GoldenFile.session, sequence: sequence)
                #expect(try store.completion(of: id, for: actor)?.outcome == .returned([1]))
            }
            while try store.sweepDiscarded(limit: 1000) {}
        }
        #expect(try await builds.serve(GoldenActor.self) { try await $0.fill() } == 2)
        let problems = try await builds.serve(GoldenActor.self) { try await $0.problems() }
        #expect(problems == ["count: 2", "lines"], "what was filled twice, and nothing else, is different")
    }

    @Test func `what is stored now is what this format version has always stored`() async throws {
        let builds = StoredBuilds()
        #expect(try await builds.serve(GoldenActor.self) { try await $0.fill() } == 1)
        try builds.change { store, _ in while try store.sweepDiscarded(limit: 1000) {} }
        let written = try GoldenFile(shard: builds.layout.shard(1), of: builds.stored().id)
        if ProcessInfo.processInfo.environment["DURABLE_GOLDEN"] == "write" {
            try written.text.write(toFile: GoldenFile.path, atomically: true, encoding: .utf8)
        }
        let golden = try GoldenFile(file: GoldenFile.path)
        #expect(try GoldenFile(text: golden.text) == golden)
        let rows = (golden: Set(golden.rows.map(\.description)), written: Set(written.rows.map(\.description)))
        func shown(_ rows: Set<String>) -> String {
            rows.sorted().map { String($0.prefix(600)) }.joined(separator: "\n")
        }
        #expect(
            rows.golden == rows.written,
            """
            the bytes of a shard have changed. If older code can read them, and this code the older ones', say so in \
            docs/checkpoint-format.md, keep the old file under another name, and write the new one with \
            DURABLE_GOLDEN=write; otherwise raise ShardLayout.format's version first. Not written any more:
            \(shown(rows.golden.subtracting(rows.written)))
            New:
            \(shown(rows.written.subtracting(rows.golden)))
            """
        )
    }
}
