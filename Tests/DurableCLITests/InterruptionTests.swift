import Foundation
import Glibc
import Testing

/// Signals to the demonstration. After each: the exit code that shells expect, no process of the runtime, no temporary
/// file, and the promise about it only when it is true.
@Suite("Interrupting the demonstration", .timeLimit(.minutes(3)), .serialized)
struct InterruptionTests {
    private static let promise = "durable: interrupted; nothing is left running"

    /// A run that goes on for very long.
    private func demo(_ arguments: [String] = [], prefix: [String] = []) throws -> Tool {
        let tool = try Tool(
            ["demo", "--input", "-", "--kills", "100000", "--durability", "process"] + arguments,
            prefix: prefix
        )
        tool.write((1...300).map { "key\($0) \($0)\n" }.joined())
        return tool
    }

    /// Waits until all ledgers live and one of them was killed.
    private func untilKilling(_ tool: Tool) async throws {
        try await eventually("workers") {
            tool.workers.count
        } is: {
            $0 > 8
        }
        let first = tool.workers
        try await eventually("the death of one of \(first)") {
            tool.workers
        } is: {
            !$0.isSuperset(of: first)
        }
    }

    /// Sends SIGINT to a tool whose supervisor does not answer any more. The tool stands still meanwhile: it kills
    /// supervisors itself.
    private func interruptWithHungSupervisor(_ tool: Tool) async throws {
        try await eventually("a supervisor that stands still") {
            kill(tool.pid, SIGSTOP)
            for supervisor in tool.supervisors { kill(supervisor, SIGSTOP) }
            let isHung = tool.supervisors.contains { tool.state(of: $0) == "T" }
            if !isHung { kill(tool.pid, SIGCONT) }
            return isHung
        } is: {
            $0
        }
        kill(tool.pid, SIGINT)
        kill(tool.pid, SIGCONT)
    }

    @Test("SIGINT, SIGTERM and SIGHUP leave nothing behind", arguments: [SIGINT, SIGTERM, SIGHUP])
    func leavesNothing(signal: Int32) async throws {
        let tool = try demo()
        try await eventually("progress") {
            try tool.error
        } is: {
            $0.contains("records, ")
        }
        #expect(tool.workers.count > 4, "the check below can see the workers")
        #expect(tool.temporaryFiles.count == 1)
        try await tool.send(signal)
        let ending = try await tool.wait()
        try await tool.expectNothingLeft()
        #expect(ending.code == 128 + signal)
        #expect(ending.errorLines.last.map(String.init) == Self.promise)
        #expect(ending.output == "")
    }

    @Test("at whatever moment SIGINT comes, nothing is left", arguments: [1, 2, 3, 5, 8, 10])
    func isNeverTooEarly(processes: Int) async throws {
        let tool = try demo()
        try await eventually("\(processes) processes") {
            tool.descendants.count
        } is: {
            $0 >= processes
        }
        try await tool.send(SIGINT)
        let ending = try await tool.wait()
        try await tool.expectNothingLeft()
        #expect(ending.code == 130, "\(ending.error)")
        #expect(ending.errorLines.last.map(String.init) == Self.promise)
    }

    @Test("a second SIGINT ends everything at once")
    func isAskedTwice() async throws {
        let tool = try demo()
        try await untilKilling(tool)
        try await tool.send(SIGINT)
        try await tool.send(SIGINT)
        let ending = try await tool.wait()
        try await tool.expectNothingLeft()
        #expect(ending.code == 130)
        #expect(ending.errorLines.last?.hasSuffix("nothing is left running") == true, "\(ending.error)")
    }

    @Test("a supervisor that does not answer is killed, by name, with the workers that are left", arguments: [1, 2])
    func survivesHungSupervisor(signals: Int) async throws {
        let scratch = try ScratchDirectory()
        let tool = try demo(["--directory", scratch.file("data")])
        try await untilKilling(tool)
        try await interruptWithHungSupervisor(tool)
        for _ in 1..<signals { try await tool.send(SIGINT) }
        let ending = try await tool.wait()
        try await tool.expectNothingLeft()
        #expect(ending.code == 130)
        let line = try #require(ending.errorLines.last)
        // Workers whose supervisor was new and had not adopted them yet can have ended by themselves.
        #expect(line.contains("killed supervisor "), "\(line)")
        #expect(line.hasSuffix("; nothing is left running"))
    }

    @Test("workers whose supervisor was just killed are ended as well")
    func survivesDeadSupervisor() async throws {
        let tool = try demo()
        try await untilKilling(tool)
        for supervisor in tool.supervisors { kill(supervisor, SIGKILL) }
        try await tool.send(SIGINT)
        try await tool.send(SIGINT)
        let ending = try await tool.wait()
        try await tool.expectNothingLeft()
        #expect(ending.code == 130)
    }

    @Test("the tool ends at once when nothing runs yet")
    func endsWhileReading() async throws {
        let tool = try Tool(["demo", "--input", "-"])
        // Its standard input stays open: it waits for text.
        try await eventually("a handler for SIGINT") {
            tool.catches(SIGINT)
        } is: {
            $0
        }
        try await tool.send(SIGINT)
        let ending = try await tool.wait()
        #expect(ending.code == 130)
        #expect(ending.error == "durable: interrupted; nothing was started\n")
        try await tool.expectNothingLeft()
    }

    @Test("under nohup the tool goes on after SIGHUP")
    func heedsNohup() async throws {
        let tool = try demo(prefix: ["env", "--ignore-signal=HUP"])
        try await eventually("start") {
            try tool.error
        } is: {
            $0.contains("kills to come")
        }
        try await tool.send(SIGHUP)
        try await untilKilling(tool)
        try await tool.send(SIGINT)
        #expect(try await tool.wait().code == 130)
        try await tool.expectNothingLeft()
    }

    @Test("a run in a directory that another one uses leaves the other one alone")
    func sparesOthers() async throws {
        let scratch = try ScratchDirectory()
        let directory = scratch.file("data")
        let input = try scratch.file("text", holding: "a 1\nb 2\n")
        let other = try Tool(["demo", "--input", input, "--kills", "100", "--json", "--directory", directory])
        try await eventually("workers") {
            other.workers.count
        } is: {
            $0 >= 8
        }
        let tool = try demo(["--directory", directory])
        try await eventually("start") {
            try tool.error
        } is: {
            $0.contains("kills to come")
        }
        try await tool.send(SIGTERM)
        let ending = try await tool.wait()
        #expect(ending.code == 128 + SIGTERM)
        #expect(ending.error.contains("nothing of this run is left running"), "\(ending.error)")
        let otherEnding = try await other.wait()
        #expect(otherEnding.code == 0, "\(otherEnding.error)")
        let report = try JSONSerialization.jsonObject(with: Data(otherEnding.output.utf8)) as? [String: Any]
        #expect(report?["lost"] as? Int == 0)
        try await tool.expectNothingLeft()
        try await other.expectNothingLeft()
    }
}
