import DurableActors
import DurableCore
import Foundation
import Glibc
import Testing

@testable import DurableSupervisor
@testable import durable

/// What the tool prints reaches a terminal, and nothing that a caller or a file chose makes the terminal do something.
@Suite("Text on terminals", .serialized, .timeLimit(.minutes(3)))
struct TerminalTests {
    /// Clears the screen, sets the title, rings, moves up, and the same with the other kind of control characters.
    private static let evil =
        "\u{1b}[2J\u{1b}]0;gone\u{7}\u{1b}[1A\u{9b}2J\u{85}\u{202e}x\u{2028}\r\nFOUND  nothing\u{8}\u{0}"

    private func expectHarmless(_ text: String, _ what: String) {
        let obeyed = text.unicodeScalars.filter { scalar in
            switch scalar.value {
            case 0xa: false
            case 0..<0x20, 0x7f..<0xa0, 0x2028...0x202e: true
            default: false
            }
        }
        #expect(obeyed.isEmpty, "\(what): \(text.debugDescription)")
        #expect(!text.contains("\nFOUND  nothing"), "\(what) has a line that the tool did not make")
    }

    @Test("state, arguments and words of callers are shown, and none of them is obeyed")
    func inspect() async throws {
        let scratch = try ScratchDirectory()
        let directory = scratch.file("data")
        let runtime = try await ActorRuntime.start(directory: directory)
        let options = ActorOptions(maxRestarts: .unlimited, maxTaskRetries: .unlimited)
        let notes = try await runtime.getOrCreate(Notebook.self, name: "notes", options: options)
        _ = try await notes.write(Self.evil)
        await #expect(throws: ActorError.self) { try await notes.tear(1, with: Self.evil) }
        // A constructor's error goes to the ledger as the cause of the end.
        let refuser = try await runtime.spawn(Refuser.self, Self.evil)
        await #expect(throws: (any Error).self) { try await refuser.ready() }
        for arguments in [[], ["--actor", "notes"], ["--json"], ["--actor", "notes", "--json"]] {
            let ending = try await Tool.run(["inspect", directory] + arguments)
            #expect(ending.code == 0, "\(ending.error)")
            #expect(ending.output.contains("gone"), "\(arguments): it is shown: \(ending.output)")
            expectHarmless(ending.output, "\(arguments)")
        }
        try await runtime.kill(notes)
        await runtime.shutdown()
    }

    @Test("names in files that somebody has changed are not obeyed, wherever they are shown")
    func changedRegistry() async throws {
        let scratch = try ScratchDirectory()
        let layout = RuntimeLayout(directory: scratch.file("data"))
        try RuntimeDirectory.prepare(layout)
        let registry = try RegistryStore(layout)
        var changes = RegistryStore.Changes()
        changes.records = [
            record(1, .resilient.detached(name: Self.evil, namespace: Self.evil)), record(2, .resilient),
        ]
        changes.records[1].waitsFor = Self.evil
        changes.ledger = [
            LedgerEntry(
                record: changes.records[1],
                pid: 7,
                cause: .constructorThrew(message: Self.evil),
                isRestarted: false,
                milliseconds: 1,
                stderrTail: Self.evil
            )
        ]
        try registry.write(changes, nextShard: 3)
        registry.close()
        for arguments in [
            ["inspect", layout.directory], ["inspect", layout.directory, "--json"],
            ["inspect", layout.directory, "--actor", Self.evil.replacing("\u{0}", with: "")],
            ["verify", layout.directory], ["verify", layout.directory, "--json"], ["history", layout.directory, "x"],
            ["schema", layout.directory],
        ] {
            let ending = try await Tool.run(arguments)
            #expect(ending.output != "" || ending.error != "")
            expectHarmless(ending.output, "\(arguments)")
            expectHarmless(ending.error, "\(arguments)")
        }
    }

    @Test("paths and arguments of the command line come back in messages without being obeyed")
    func arguments() async throws {
        let word = Self.evil.replacing("\u{0}", with: "")
        for command in ["inspect", "verify", "history", "restore", "backup", "schema"] {
            let second = ["history", "restore", "backup"].contains(command) ? [word] : []
            let ending = try await Tool.run([command, "/tmp/\(word)"] + second)
            #expect(ending.code == 1, "\(command)")
            #expect(ending.errorLines.count == 1, "\(ending.error)")
            expectHarmless(ending.error, command)
        }
    }

    /// What a registry would never get from a supervisor.
    private func record(_ number: UInt64, _ options: ActorOptions) -> ActorRecord {
        ActorRecord(
            id: ActorID(high: 0, low: number),
            typeName: Self.evil,
            typeDescription: Self.evil,
            arguments: [],
            options: options,
            owner: .detached,
            executable: Self.evil,
            shard: number
        )
    }
}

/// Has a constructor that throws what it was told.
distributed actor Refuser: DurableActor {
    struct Reason: Error, CustomStringConvertible { let description: String }

    init(_ words: String, actorSystem: ActorRuntime) async throws {
        self.actorSystem = actorSystem
        throw Reason(description: words)
    }
}
