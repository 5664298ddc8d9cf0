import DurableActors
import DurableSupervisor
import Foundation
import Glibc
import Testing

/// Names are data: none of them becomes a path, and none reaches a terminal raw.
@Suite(.serialized, .timeLimit(.minutes(2))) struct NameTests {
    private static let refused = [
        "../../x", "..", ".", "/etc/passwd", "a/b", "a\\b", "a\u{0}b", "a\nb", "a\rb", "a\tb", " a", "a ", "a b",
        "~root",
        "$HOME", "`id`", "a;b", "a|b", "*", "?", "%2e%2e", "\u{1b}[31mred", "a\u{9b}2J", "a\u{202e}b", "a\u{200b}b",
        "é", "e\u{301}", "ａ", "аdmin", "🙂", "a\u{7f}", "\u{feff}a", String(repeating: "x", count: 129),
        String(repeating: "x", count: 511), String(repeating: "../", count: 40),
    ]
    private static let allowed = [
        "-rf", "--help", "a..b", "data.mdb", "lock", "CON", "nul", "0", "_", "1.socket", "shards",
    ]

    @Test func `names that are no plain words are refused everywhere, and those that are stay out of all paths`()
        async throws
    {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime(directory: scratch.file("data")) { runtime in
            for name in Self.refused {
                let attempts: [(String, () async throws -> Void)] = [
                    ("name", { _ = try await runtime.getOrCreate(Counter.self, name: name) }),
                    ("namespace", { _ = try await runtime.getOrCreate(Counter.self, name: "a", namespace: name) }),
                    ("group", { _ = try await runtime.spawn(Counter.self, options: .resilient.shared(name)) }),
                    ("node", { try await runtime.addNode(name: name, resources: Resources(cpu: 1)) }),
                    ("lookup", { _ = try await runtime.getActor(Counter.self, name: name) }),
                ]
                for (what, attempt) in attempts {
                    let error = await failure(attempt)
                    #expect(error?.code == .invalidArgument, "\(what) \(name.debugDescription)")
                    let hasControls =
                        error?.message.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x9b } ?? true
                    #expect(!hasControls, "\(what) \(name.debugDescription)")
                }
            }
            var counters: [Counter] = []
            for name in Self.allowed + [String(repeating: "x", count: 128)] {
                let counter = try await runtime.getOrCreate(Counter.self, name: name)
                #expect(try await counter.add(1) == 1)
                counters.append(counter)
            }
            let allowed = try Regex(
                "(shards|supervisor|objects)(/([0-9]+|stderr|lock|socket|log|data.mdb|lock.mdb)){0,2}"
            )
            for path in try FileManager.default.subpathsOfDirectory(atPath: runtime.directory) {
                // An environment in the making.
                if path.contains(".creating.") { continue }
                #expect(path.wholeMatch(of: allowed) != nil, "\(path)")
            }
            #expect(RuntimeDirectory.entries(of: scratch.path) == ["data"], "nothing is beside it")
            for counter in counters { try await runtime.kill(counter) }
        }
    }
}
