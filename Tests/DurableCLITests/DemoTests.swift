import Foundation
import Glibc
import Testing

/// The demonstration as a user runs it. Each run is also checked for what it leaves: no process, no temporary file.
@Suite("The command durable demo", .timeLimit(.minutes(3)))
struct DemoTests {
    private func json(_ ending: Ending) throws -> [String: Any] {
        #expect(ending.code == 0, "status \(ending.status): \(ending.error)")
        #expect(ending.output.hasSuffix("}\n") && ending.output.split(separator: "\n").count == 1, "one line")
        let value = try JSONSerialization.jsonObject(with: Data(ending.output.utf8))
        return try #require(value as? [String: Any])
    }

    @Test("standard input is counted, under fire, and --json prints one object and nothing else")
    func readsStandardInput() async throws {
        let text = (1...40).map { "key\($0) word \($0)" }.joined(separator: "\n")
        let ending = try await Tool.run(
            ["demo", "--input", "-", "--json", "--kills", "4", "--seed", "7", "--durability", "process"],
            input: text
        )
        let report = try json(ending)
        #expect(ending.error == "")
        #expect(report["records"] as? Int == 40)
        #expect(report["lost"] as? Int == 0)
        #expect(report["doubled"] as? Int == 0)
        #expect((report["differences"] as? [Any])?.isEmpty == true)
        #expect((report["kills"] as? [String: Int]) == ["worker": 3, "supervisor": 1])
        #expect(report["seed"] as? Int == 7)
        let passes = try #require(report["passes"] as? Int)
        #expect(report["callsAcknowledged"] as? Int == 40 * passes)
        let directory = try #require(report["directory"] as? String)
        #expect(access(directory, F_OK) != 0, "\(directory) is temporary")
    }

    @Test("the table goes to standard output, and the progress does not")
    func separatesProgress() async throws {
        let ending = try await Tool.run(
            ["demo", "--input", "-", "--kills", "2", "--seed", "3", "--durability", "process"],
            input: "a 1\nb 2\n"
        )
        #expect(ending.code == 0)
        #expect(ending.error.hasPrefix("seed 3, 8 ledgers, 16 callers, 2 kills to come\n"))
        #expect(!ending.output.contains("kills to come") && !ending.output.contains("["))
        for line in ["lost", "doubled", "differences"] {
            #expect(ending.output.contains("  " + line.padding(toLength: 25, withPad: " ", startingAt: 0) + "0\n"))
        }
        #expect(ending.output.contains("temporary and removed"))
    }

    @Test("without kills the text is fed once and nothing restarts")
    func sparesEverybody() async throws {
        let report = try json(
            await Tool.run(["demo", "--input", "-", "--kills", "0", "--json"], input: "one 1\n\ntwo 2\n\nthree 3\n")
        )
        #expect(report["callsAcknowledged"] as? Int == 3)
        #expect(report["passes"] as? Int == 1)
        #expect(report["restarts"] as? Int == 0)
        #expect((report["kills"] as? [String: Int]) == ["worker": 0, "supervisor": 0])
    }

    @Test("a text without words is refused before anything is started", arguments: ["", "\n", " \n\t\n\r\n\n"])
    func refusesNothing(text: String) async throws {
        let ending = try await Tool.run(["demo", "--input", "-"], input: text)
        ending.expectOneLine(["standard input holds no text"])
    }

    @Test("input that cannot be read is named")
    func namesInput() async throws {
        let scratch = try ScratchDirectory()
        let missing = scratch.file("missing")
        try await Tool.run(["demo", "--input", missing]).expectOneLine([missing, "No such file"])
        try await Tool.run(["demo", "--input", scratch.path]).expectOneLine([scratch.path, "Is a directory"])
        let empty = try scratch.file("empty", holding: "")
        try await Tool.run(["demo", "--input", empty]).expectOneLine([empty, "holds no text"])
    }

    @Test(
        "numbers that are not allowed are usage errors, which say what is",
        arguments: [
            (["--kills=-1"], "--kills is -1; allowed are 0 to 100000"), (["--kills", "-1"], "--kills"),
            (["--kills", "many"], "many"), (["--actors", "0"], "--actors is 0; allowed are 1 to 64"),
            (["--callers", "1025"], "--callers is 1025; allowed are 1 to 1024"), (["--durability", "none"], "none"),
            (["--seed", "18446744073709551616"], "18446744073709551616"), (["--unknown"], "--unknown"),
        ]
    )
    func refusesNumbers(arguments: [String], expected: String) async throws {
        let ending = try await Tool.run(["demo"] + arguments)
        #expect(ending.code == 64)
        #expect(ending.error.hasPrefix("Error: ") && ending.error.contains(expected), "\(ending.error)")
        #expect(ending.output == "")
    }

    @Test("directories that cannot be used are named, with the reason")
    func namesDirectory() async throws {
        let scratch = try ScratchDirectory()
        let input = try scratch.file("text", holding: "a 1\n")
        let long = scratch.file(String(repeating: "x", count: 100))
        for (directory, reason) in [(input, "is not a directory"), (long, "too long"), ("", "empty")] {
            let ending = try await Tool.run(["demo", "--input", input, "--directory", directory])
            ending.expectOneLine([directory, reason].filter { !$0.isEmpty })
        }
        try #require(geteuid() == 0, "this test gives a directory to another user, for which it needs root")
        let foreign = scratch.file("foreign")
        try FileManager.default.createDirectory(atPath: foreign, withIntermediateDirectories: false)
        try #require(chown(foreign, 65534, 65534) == 0)
        try await Tool.run(["demo", "--input", input, "--directory", foreign]).expectOneLine([foreign, "belongs to"])
    }

    @Test("a disk without room is refused, and nothing is left on it")
    func needsRoom() async throws {
        let disk = try SmallDisk(kibibytes: 512)
        let directory = "\(disk.path)/data"
        let given = try await Tool.run(["demo", "--input", "-", "--directory", directory], input: "a 1\n")
        given.expectOneLine([directory, "KiB left", "1 MiB"])
        let temporary = try await Tool.run(["demo", "--input", "-"], input: "a 1\n", temporary: disk.path)
        temporary.expectOneLine([disk.path, "KiB left", "1 MiB"])
        let left = try FileManager.default.contentsOfDirectory(atPath: disk.path)
        #expect(left == ["data"], "temporary directories go also when nothing could be started")
    }

    @Test("a disk that runs full during the run ends it with one line")
    func runsFull() async throws {
        let disk = try SmallDisk(kibibytes: 1200)
        let tool = try Tool(
            ["demo", "--input", "-", "--json", "--actors", "64", "--directory", "\(disk.path)/data"]
        )
        tool.write((1...300).map { "key\($0) \($0)\n" }.joined())
        let ending = try await tool.wait()
        ending.expectOneLine([disk.path])
        try await tool.expectNothingLeft()
    }

    @Test("state of a directory that is given stays, and a second run goes on in it")
    func keepsDirectory() async throws {
        let scratch = try ScratchDirectory()
        let directory = scratch.file("data")
        for _ in 0..<2 {
            let arguments = ["demo", "--input", "-", "--kills", "1", "--json", "--directory", directory]
            let report = try json(await Tool.run(arguments, input: "a 1\n"))
            #expect(report["isTemporary"] as? Bool == false)
            #expect(report["directory"] as? String == directory)
            #expect(access("\(directory)/supervisor/data.mdb", F_OK) == 0)
        }
    }

    @Test("output that cannot be written is an error, not a success")
    func noticesLostOutput() async throws {
        let tool = try Tool(["demo", "--input", "-", "--kills", "0", "--json"], output: "/dev/full")
        tool.write("a 1\n")
        try await tool.wait().expectOneLine(["standard output", "No space left"])
        try await tool.expectNothingLeft()
    }
}
