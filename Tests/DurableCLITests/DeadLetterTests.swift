import DurableActors
import DurableCore
import DurableStore
import Foundation
import Testing

@testable import durable

/// What the tool says of calls that crashed their workers.
@Suite("Dead letters in the command durable inspect", .timeLimit(.minutes(2)))
struct DeadLetterTests {
    @Test("a dead letter is shown with method, arguments, lives, cause and last words")
    func showsDeadLetters() async throws {
        let scratch = try ScratchDirectory()
        let directory = scratch.file("data")
        try await ActorRuntime.withRuntime(directory: directory) { runtime in
            let notes = try await runtime.spawn(Notebook.self, options: .resilient.detached(name: "notes"))
            _ = try await notes.write("first")
            let error = await #expect(throws: ActorError.self) { try await notes.tear(7, with: "größer \"als\"") }
            #expect(error?.code == .poisonCall)
            _ = try await notes.write("second")
        }
        try await killEverything(in: directory)

        let table = try await Tool.run(["inspect", directory])
        #expect(table.code == 0 && table.error == "")
        let lines = table.output.split(separator: "\n")
        let title = try #require(lines.firstIndex(of: "dead letters"))
        #expect(lines[title + 1].hasPrefix("WHEN (UTC)"))
        let row = String(lines[title + 2])
        #expect(row.contains("  notes  tear    [7,\"größer \\\"als\\\"\"]"), "\(row)")
        #expect(row.contains("1, 2, 3") && row.contains("ended by signal"))

        let json = try await Tool.run(["inspect", directory, "--json"])
        let value = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any]
        let actor = try #require((value?["actors"] as? [[String: Any]])?.first)
        let letter = try #require((actor["deadLetters"] as? [[String: Any]])?.first)
        #expect(letter["method"] as? String == "tear")
        #expect((letter["arguments"] as? [Any])?.first as? Int == 7)
        #expect((letter["arguments"] as? [Any])?.last as? String == "größer \"als\"")
        #expect(letter["incarnations"] as? [Int] == [1, 2, 3])
        #expect(letter["sequence"] as? Int == 2)
        #expect((letter["stderr"] as? String)?.contains("Fatal error: größer") == true)
        #expect((actor["state"] as? [String: Any])?["lines"] as? [String] == ["first", "second"])
    }

    @Test(
        "a method is named as in Swift when its mangled name says so plainly, and mangled when not",
        arguments: [
            ("$s8Examples7AccountC7depositySiSi_tYaKFTE", "deposit"), ("$s8Examples7AccountC0A0yyYaKFTE", nil),
            ("$s5Other7AccountC7depositTE", nil), ("", nil),
        ]
    )
    func namesMethods(mangled: String, name: String?) {
        let frame = CallFrame(
            actor: ActorID(high: 0, low: 1),
            id: CallID(session: SessionID(high: 0, low: 1), sequence: 1),
            firstIncomplete: 1,
            method: mangled,
            arguments: []
        )
        let order = DeadLetterOrder(
            actor: frame.actor,
            call: frame.id,
            cause: .exit(code: 1),
            incarnations: [1],
            milliseconds: 0,
            stderrTail: ""
        )
        var letter = DeadLetter(actor: frame.actor, call: frame.id, stored: StoredDeadLetter(order))
        #expect(letter.methodName(of: "8Examples7AccountC") == nil)
        letter.stored.complete(with: frame)
        #expect(letter.methodName(of: "8Examples7AccountC") == name ?? mangled)
    }
}
