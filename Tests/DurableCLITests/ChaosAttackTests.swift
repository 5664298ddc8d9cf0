import DurableActors
import Foundation
import Glibc
import Synchronization
import Testing

@testable import durable

/// An actor whose lives take long to begin.
distributed actor SlowStarter: DurableActor {
    init(_ milliseconds: Int, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
        try? await Task.sleep(for: .milliseconds(milliseconds))
    }

    distributed func process() -> Int32 { getpid() }
}

/// Attacks on a runtime that the test runs: its actors are of types that the tool does not know.
@Suite("The command durable chaos --attach", .timeLimit(.minutes(3)), .serialized)
struct ChaosAttackTests {
    private func object(_ ending: Ending) throws -> [String: Any] {
        let value = try JSONSerialization.jsonObject(with: Data(ending.output.utf8))
        return try #require(value as? [String: Any], "\(ending.error)")
    }

    private func attack(_ directory: String, _ arguments: String...) async throws -> Ending {
        try await Tool.run(["chaos", "--attach", directory, "--yes", "--json", "--seed", "3"] + arguments)
    }

    private func named(_ name: String) -> ActorOptions {
        var options = ActorOptions.resilient
        options.name = name
        return options
    }

    @Test("the actors of a program are hit, no more of them at once than may be, and lose nothing")
    func hits() async throws {
        let scratch = try ScratchDirectory()
        let page = scratch.file("page.html")
        try await ActorRuntime.withRuntime(directory: scratch.file("data")) { runtime in
            let notebooks = [
                try await runtime.spawn(Notebook.self, options: named("first")),
                try await runtime.spawn(Notebook.self, options: named("second")),
            ]
            for notebook in notebooks { _ = try await notebook.write("before") }
            let lines = LineCount()
            defer { lines.end() }
            async let writing: Void = write(to: notebooks, lines)
            let ending = try await attack(
                runtime.directory,
                "--duration",
                "2s",
                "--every",
                "100ms",
                "--faults",
                "kill,stop,supervisor",
                "--html",
                page
            )
            lines.end()
            try await writing
            #expect(ending.code == 0, "\(ending.error)\(ending.output)")
            let report = try object(ending)
            #expect(report["verdict"] as? String == "holds")
            #expect(report["deathsNotOurs"] as? [String] == [])
            let strikes = try #require(report["strikes"] as? [[String: Any]])
            #expect(strikes.count > 3)
            let titles = Set(strikes.compactMap { $0["title"] as? String })
            #expect(titles.isSubset(of: ["first", "second", "supervisor"]))
            #expect(!strikes.contains { $0["pid"] as? Int == Int(getpid()) }, "the driver is not hit")
            for notebook in notebooks { #expect(try await notebook.write("after") == lines.count + 2) }
            #expect(try String(contentsOfFile: page, encoding: .utf8).contains("class=\"timeline\""))
        }
    }

    private func write(to notebooks: [Notebook], _ lines: LineCount) async throws {
        while !lines.isOver {
            for notebook in notebooks { _ = try await notebook.write("during") }
            lines.add()
        }
    }

    @Test("without --yes nothing happens when nobody can be asked")
    func asks() async throws {
        let scratch = try ScratchDirectory()
        try await ActorRuntime.withRuntime(directory: scratch.file("data")) { runtime in
            let notebook = try await runtime.spawn(Notebook.self, options: named("notes"))
            let before = try await notebook.processID()
            let ending = try await Tool.run(["chaos", "--attach", runtime.directory])
            #expect(ending.code == 1)
            #expect(ending.error.hasSuffix("durable: this kills processes of a program that runs; say so with --yes\n"))
            #expect(try await notebook.processID() == before)
        }
    }

    @Test("an actor that is not back in time ends the attack, with its name and the reason")
    func missesObjective() async throws {
        let scratch = try ScratchDirectory()
        try await ActorRuntime.withRuntime(directory: scratch.file("data")) { runtime in
            let slow = try await runtime.spawn(SlowStarter.self, 1500, options: named("slow"))
            _ = try await slow.process()
            let ending = try await attack(
                runtime.directory,
                "--duration",
                "1min",
                "--every",
                "100ms",
                "--objective",
                "300ms"
            )
            #expect(ending.code == 1, "\(ending.error)")
            let report = try object(ending)
            #expect(report["verdict"] as? String == "broken")
            let strikes = try #require(report["strikes"] as? [[String: Any]])
            #expect(strikes.count == 1, "nothing more is hit")
            let checks = try #require(report["checks"] as? [[String: Any]])
            let reason = try #require((checks.first?["differences"] as? [String])?.first)
            #expect(
                reason.hasPrefix("slow, process ") && reason.contains("does not serve within 300ms: it is restarting")
            )
            #expect(reason.contains("signal 9 (SIGKILL)"))
            _ = try await slow.process()
        }
    }

    @Test("who would not come back is spared, and so is who is not meant")
    func spares() async throws {
        let scratch = try ScratchDirectory()
        try await ActorRuntime.withRuntime(directory: scratch.file("data")) { runtime in
            var mortal = ActorOptions()
            mortal.name = "mortal"
            let notebooks = [
                try await runtime.spawn(Notebook.self, options: mortal),
                try await runtime.spawn(Notebook.self, options: named("other")),
                try await runtime.spawn(Notebook.self, options: named("meant")),
            ]
            var before: [Int32] = []
            for notebook in notebooks { before.append(try await notebook.processID()) }
            let refused = try await attack(runtime.directory, "--only", "mortal")
            refused.expectOneLine(["there is nothing to hit: mortal: it would not be restarted"])
            let unknown = try await attack(runtime.directory, "--only", "nobody")
            unknown.expectOneLine(["has no living actor \"nobody\"; there are ", "other (Notebook, alive)"])
            let ending = try await attack(
                runtime.directory,
                "--duration",
                "500ms",
                "--every",
                "100ms",
                "--only",
                "meant"
            )
            #expect(ending.code == 0, "\(ending.error)")
            let strikes = try #require(try object(ending)["strikes"] as? [[String: Any]])
            #expect(!strikes.isEmpty && strikes.allSatisfy { $0["title"] as? String == "meant" })
            #expect(try await notebooks[0].processID() == before[0])
            #expect(try await notebooks[1].processID() == before[1])
            #expect(try await notebooks[2].processID() != before[2])
        }
    }

    @Test("a death of another cause is told apart from those of the attack")
    func tellsDeathsApart() async throws {
        let scratch = try ScratchDirectory()
        try await ActorRuntime.withRuntime(directory: scratch.file("data")) { runtime in
            let meant = try await runtime.spawn(Notebook.self, options: named("meant"))
            let other = try await runtime.spawn(Notebook.self, options: named("other"))
            let (first, victim) = (try await meant.processID(), try await other.processID())
            async let attacked = attack(
                runtime.directory,
                "--duration",
                "1s",
                "--every",
                "200ms",
                "--only",
                "meant",
                "--faults",
                "terminate"
            )
            try await eventually("the first hit") {
                try await meant.processID()
            } is: {
                $0 != first
            }
            kill(victim, SIGKILL)
            let ending = try await attacked
            #expect(ending.code == 0, "\(ending.error)")
            let deaths = try #require(try object(ending)["deathsNotOurs"] as? [String])
            #expect(deaths.count == 1 && deaths[0].contains("process \(victim), its process was ended by signal 9"))
        }
    }

    @Test("an attack keeps no runtime alive, and ends with it")
    func endsWithRuntime() async throws {
        let scratch = try ScratchDirectory()
        let directory = scratch.file("data")
        let tool: Tool = try await ActorRuntime.withRuntime(directory: directory) { runtime in
            let notebook = try await runtime.spawn(Notebook.self, options: named("notes"))
            let first = try await notebook.processID()
            let tool = try Tool(["chaos", "--attach", directory, "--yes", "--duration", "1min", "--every", "100ms"])
            try await eventually("the first hit") {
                try await notebook.processID()
            } is: {
                $0 != first
            }
            return tool
        }
        try await eventually("the end of the runtime") {
            RuntimeProcesses(directory).living()
        } is: {
            $0.isEmpty
        }
        let ending = try await tool.wait()
        #expect(ending.code == 0, "\(ending.error)\(ending.output)")
        #expect(ending.output.contains("the runtime has ended, and the attack with it"))
        #expect(RuntimeProcesses(directory).living().isEmpty, "the tool has started nothing")
        try await Tool.run(["chaos", "--attach", directory, "--yes"])
            .expectOneLine(["no runtime is running in \(directory); start the program"])
        #expect(RuntimeProcesses(directory).living().isEmpty)
    }

    @Test("after SIGINT nothing stands still, and the report is there")
    func isInterrupted() async throws {
        let scratch = try ScratchDirectory()
        try await ActorRuntime.withRuntime(directory: scratch.file("data")) { runtime in
            let notebook = try await runtime.spawn(Notebook.self, options: named("notes"))
            let process = try await notebook.processID()
            let tool = try Tool([
                "chaos", "--attach", runtime.directory, "--yes", "--duration", "10min", "--every", "1ms", "--faults",
                "stop",
            ])
            try await eventually("a worker that stands still") {
                tool.state(of: process)
            } is: {
                $0 == "T"
            }
            try await tool.send(SIGINT)
            let ending = try await tool.wait()
            #expect(ending.code == 130, "\(ending.error)")
            #expect(ending.output.contains("interrupted after ") && ending.output.contains("the promise holds"))
            #expect(tool.state(of: process) != "T")
            #expect(try await notebook.processID() == process)
        }
    }
}

/// How many lines were written, and whether it is enough.
private final class LineCount: Sendable {
    private let state = Mutex((lines: 0, isOver: false))

    var count: Int { state.withLock { $0.lines } }
    var isOver: Bool { state.withLock { $0.isOver } }
    func add() { state.withLock { $0.lines += 1 } }
    func end() { state.withLock { $0.isOver = true } }
}
