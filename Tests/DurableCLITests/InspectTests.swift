import DurableActors
import Foundation
import Glibc
import Testing

/// A look into directories that real actors have filled, or fill.
@Suite("The command durable inspect", .timeLimit(.minutes(2)))
struct InspectTests {
    private func inspect(_ directory: String, _ arguments: [String] = []) async throws -> [String: Any] {
        let ending = try await Tool.run(["inspect", directory, "--json"] + arguments)
        #expect(ending.code == 0, "status \(ending.status): \(ending.error)")
        #expect(ending.error == "")
        #expect(ending.output.split(separator: "\n").count == 1, "one line")
        let value = try JSONSerialization.jsonObject(with: Data(ending.output.utf8))
        return try #require(value as? [String: Any])
    }

    private func actors(_ value: [String: Any]) throws -> [[String: Any]] {
        try #require(value["actors"] as? [[String: Any]])
    }

    /// A directory whose only actor, `notes`, is detached, has two lines, has died once, and does not run any more.
    private func filled(_ scratch: ScratchDirectory) async throws -> String {
        let directory = scratch.file("data")
        try await ActorRuntime.withRuntime(directory: directory) { runtime in
            let options = ActorOptions.resilient.detached(name: "notes")
            let notes = try await runtime.spawn(Notebook.self, options: options)
            _ = try await notes.write("first")
            try await dies(notes)
            _ = try await notes.write("second \"line\"\u{1}\n")
            try await runtime.kill(notes, noRestart: false)
            _ = try await notes.processID()
        }
        try await killEverything(in: directory)
        return directory
    }

    /// Has an actor die, and waits for its next life.
    private func dies(_ notes: Notebook) async throws {
        let pid = try await notes.processID()
        kill(pid, SIGKILL)
        try await eventually("the next life") {
            try await notes.processID()
        } is: {
            $0 != pid
        }
    }

    @Test("a running runtime is shown as it is: processes, lives, restarts, causes, state")
    func showsRunningRuntime() async throws {
        let scratch = try ScratchDirectory()
        let directory = scratch.file("data")
        try await ActorRuntime.withRuntime(directory: directory) { runtime in
            let options = ActorOptions.resilient.detached(name: "notes", namespace: "tests")
            let notes = try await runtime.spawn(Notebook.self, options: options)
            let other = try await runtime.spawn(Notebook.self)
            _ = try await notes.write("first")
            try await dies(notes)
            _ = try await notes.write("zwölf \"Zeilen\"\n\u{1}")
            _ = try await other.processID()
            // The registry is stored a moment after a recovery.
            try await eventually("a ledger entry") {
                try await inspect(directory)["deaths"] as? [[String: Any]]
            } is: {
                $0?.isEmpty == false
            }
            let value = try await inspect(directory)
            #expect(value["directory"] as? String == directory)
            let found = try actors(value)
            #expect(found.count == 2)

            let first = try #require(found.first { $0["name"] as? String == "notes" })
            #expect(first["id"] as? String == "\(notes.id)")
            #expect(first["namespace"] as? String == "tests")
            #expect(first["type"] as? String == "Notebook")
            #expect(first["status"] as? String == "running")
            #expect(first["detached"] as? Bool == true)
            #expect(first["incarnation"] as? Int == 2)
            #expect(first["restarts"] as? Int == 1)
            #expect(first["pid"] as? Int32 == (try await notes.processID()))
            #expect(first["problem"] is NSNull && first["ended"] is NSNull)
            let state = try #require(first["state"] as? [String: Any])
            #expect(state["count"] as? Int == 2)
            #expect(state["lines"] as? [String] == ["first", "zwölf \"Zeilen\"\n\u{1}"])
            #expect(state["ratio"] as? String == "Infinity")
            #expect((state["places"] as? [String: String])?["1"] == "first")

            let second = try #require(found.first { $0["name"] is NSNull })
            #expect(second["id"] as? String == "\(other.id)")
            #expect(second["detached"] as? Bool == false)
            #expect(second["restarts"] as? Int == 0)

            let death = try #require((value["deaths"] as? [[String: Any]])?.first)
            #expect(death["actor"] as? String == "\(notes.id)")
            #expect(death["cause"] as? String == "its process was ended by signal 9 (SIGKILL)")
            #expect(death["incarnation"] as? Int == 1)
            #expect(death["restarted"] as? Bool == true)
            #expect(try await notes.write("the look has disturbed nobody") == 3)
        }
        // The registry is stored a moment after an end.
        try await eventually("what its driver owned has gone with it, what was detached has not") {
            try actors(try await inspect(directory)).map { $0["status"] as? String }
        } is: {
            $0 == ["running"]
        }
        try await killEverything(in: directory)
        #expect(try actors(try await inspect(directory)).map { $0["status"] as? String } == ["not running"])
    }

    @Test("what actors hold of their node is shown, and what others wait for")
    func showsResources() async throws {
        let scratch = try ScratchDirectory()
        let directory = scratch.file("data")
        var configuration = RuntimeConfiguration()
        configuration.resources = Resources(cpu: 2, gpu: 2)
        try await ActorRuntime.withRuntime(directory: directory, configuration: configuration) { runtime in
            let holder = try await runtime.spawn(Notebook.self, options: .default.resources(gpu: 1))
            _ = try await holder.processID()
            var options = ActorOptions.default.resources(cpu: 2)
            options.name = "waiting"
            let waiting = try await runtime.spawn(Notebook.self, options: options)
            try await eventually("both are stored") {
                try actors(try await inspect(directory)).map { $0["status"] as? String }
            } is: {
                $0 == ["running", "pending"]
            }
            let found = try actors(try await inspect(directory))
            #expect(found[0]["node"] as? String == "head")
            #expect(found[0]["resources"] as? [String: Double] == ["cpu": 1, "gpu": 1])
            #expect(found[0]["devices"] as? [String] == ["0"])
            #expect(found[0]["waitsFor"] is NSNull)
            #expect(found[1]["node"] is NSNull)
            #expect(found[1]["waitsFor"] as? String == "2 cpu, which no node has free")
            let text = try await Tool.run(["inspect", directory]).output
            #expect(text.contains("waiting for resources\n"))
            #expect(text.contains("waiting  Notebook  2 cpu, which no node has free\n"), "\(text)")

            try await runtime.kill(holder)
            _ = try await waiting.processID()
            try await eventually("nobody waits") {
                try await Tool.run(["inspect", directory]).output.contains("waiting for resources")
            } is: {
                !$0
            }
        }
    }

    @Test("nodes, placement groups and workers that stand still are shown, with what is free, waited for and silent")
    func showsNodes() async throws {
        let scratch = try ScratchDirectory()
        let directory = scratch.file("data")
        var configuration = RuntimeConfiguration()
        configuration.resources = Resources(cpu: 2, memory: 0)
        try await ActorRuntime.withRuntime(directory: directory, configuration: configuration) { runtime in
            try await runtime.addNode(name: "a", resources: Resources(cpu: 3))
            try await runtime.addNode(name: "b", resources: Resources(cpu: 1))
            let group = try await runtime.placementGroup(bundles: [Resources(cpu: 2)], strategy: .pack, name: "held")
            try await group.ready()
            _ = try await runtime.placementGroup(bundles: [Resources(cpu: 4)], strategy: .pack, name: "wanted")
            let options = ActorOptions.default.resources(cpu: 1).scheduled(.node("a", soft: false))
            let notes = try await runtime.spawn(Notebook.self, options: options)
            let pid = try await notes.processID()
            try await runtime.drainNode("b")
            kill(pid, SIGSTOP)
            defer { kill(pid, SIGCONT) }
            try await eventually("it is silent") {
                try actors(try await inspect(directory)).first?["silentMilliseconds"] as? Int
            } is: {
                $0.map { $0 > 5_000 && $0 < 120_000 } == true
            }
            let value = try await inspect(directory)
            let nodes = try #require(value["nodes"] as? [[String: Any]])
            #expect(nodes.map { $0["name"] as? String } == ["head", "a", "b"])
            #expect(nodes.map { ($0["resources"] as? [String: Double])?["cpu"] } == [2, 3, 1])
            let live = try await runtime.nodes()
            #expect(nodes.map { ($0["available"] as? [String: Double])?["cpu"] } == live.map { $0.available["cpu"] })
            #expect(nodes.map { $0["actors"] as? Int } == live.map { $0.actors })
            #expect(nodes.map { $0["draining"] as? Bool } == [false, false, true])
            let groups = try #require(value["placementGroups"] as? [[String: Any]])
            let (held, wanted) = (
                groups.first { $0["name"] as? String == "held" }, groups.first { $0["name"] as? String == "wanted" }
            )
            #expect(held?["state"] as? String == "created" && held?["waitsFor"] is NSNull)
            #expect(wanted?["state"] as? String == "pending")
            #expect((wanted?["waitsFor"] as? String)?.contains("4 cpu") == true)
            let text = try await Tool.run(["inspect", directory]).output
            for line in [
                "\nnodes\nNODE", "\nb     draining  0       1 cpu", "\nplacement groups\nPLACEMENT GROUP",
                "\nunresponsive\n",
            ] {
                #expect(text.contains(line), "\(text)")
            }
            #expect(text.contains("wanted           pack      pending  -"), "\(text)")
            let one = try await inspect(directory, ["--actor", "\(notes.id)"])
            #expect(one["nodes"] is NSNull && one["placementGroups"] is NSNull)
        }
    }

    @Test("without a runtime the tables show the last state, and the files stay as they are")
    func showsStoredState() async throws {
        let scratch = try ScratchDirectory()
        let directory = try await filled(scratch)
        let before = try Snapshot(directory, locks: false)
        let table = try await Tool.run(["inspect", directory + "/"])
        #expect(table.code == 0 && table.error == "")
        let lines = table.output.split(separator: "\n")
        #expect(lines.first?.hasPrefix("ACTOR  TYPE      STATUS       PID  LIFE  RESTARTS") == true)
        #expect(lines.dropFirst().first?.hasPrefix("notes  Notebook  not running  -    3     2 ") == true)
        #expect(table.output.contains("\"lines\":[\"first\",\"second \\\"line\\\"\\u0001\\n\"]"))
        #expect(table.output.contains("newest deaths and notices\nWHEN (UTC)"))
        #expect(table.output.contains("it was killed by a call to kill"))
        #expect(table.output.contains("restarted  its process was ended by signal 9 (SIGKILL)"))

        let whole = try await Tool.run(["inspect", directory, "--actor", "notes", "--deaths", "0"])
        #expect(whole.output.contains("\n  \"count\": 2,\n") && !whole.output.contains("newest deaths"))
        #expect(whole.output == (try await Tool.run(["inspect", directory, "--actor", "notes", "--deaths=0"])).output)

        #expect(try actors(try await inspect(directory, ["--actor", "notes"])).count == 1)
        #expect((try await inspect(directory, ["--deaths", "1"])["deaths"] as? [Any])?.count == 1)
        #expect(try before.differences(Snapshot(directory, locks: false)) == [])
        #expect(before.files.count > 4)
    }

    @Test("each look at an actor that works sees one of its committed states")
    func seesCommittedStates() async throws {
        let scratch = try ScratchDirectory()
        let directory = scratch.file("data")
        try await ActorRuntime.withRuntime(directory: directory) { runtime in
            let notes = try await runtime.spawn(Notebook.self)
            let work = Task {
                var written = 0
                // A call that is cancelled while it is under way throws; what it did counts all the same.
                do {
                    while !Task.isCancelled { written = try await notes.write("line") }
                } catch is CancellationError {}
                return written + 1
            }
            var last = 0
            for _ in 0..<10 {
                let state = try #require(try actors(try await inspect(directory)).first?["state"] as? [String: Any])
                guard let count = state["count"] as? Int else { continue }
                #expect((state["lines"] as? [Any])?.count == count)
                #expect((state["places"] as? [String: Any])?.count == count)
                #expect(count >= last)
                last = count
            }
            work.cancel()
            let written = try await work.value
            #expect(last > 0 && last <= written, "\(last) of \(written)")
        }
    }

    @Test("a directory on a disk that cannot be written is shown as well")
    func readsReadOnlyDisk() async throws {
        let disk = try SmallDisk(kibibytes: 8192)
        let scratch = try ScratchDirectory()
        let directory = try await filled(scratch)
        // The sockets stay behind.
        let files = try FileManager.default.subpathsOfDirectory(atPath: directory).filter { $0.hasSuffix("data.mdb") }
        for name in files {
            let target = URL(fileURLWithPath: "\(disk.path)/data/\(name)")
            try FileManager.default.createDirectory(
                at: target.deletingLastPathComponent(),
                withIntermediateDirectories: true
            )
            try FileManager.default.copyItem(at: URL(fileURLWithPath: "\(directory)/\(name)"), to: target)
        }
        try disk.makeReadOnly()
        #expect(try actors(try await inspect("\(disk.path)/data")).first?["restarts"] as? Int == 2)
    }

    @Test("an actor that is not there, and a name that several have, are told in one line")
    func choosesActor() async throws {
        let scratch = try ScratchDirectory()
        let directory = scratch.file("data")
        try await ActorRuntime.withRuntime(directory: directory) { runtime in
            for namespace in ["one", "two"] {
                _ = try await runtime.spawn(
                    Notebook.self,
                    options: .default.detached(name: "notes", namespace: namespace)
                )
            }
        }
        try await killEverything(in: directory)
        try await Tool.run(["inspect", directory, "--actor", "nobody"]).expectOneLine([
            directory, "no actor \"nobody\"",
        ])
        let several = try await Tool.run(["inspect", directory, "--actor", "notes"])
        several.expectOneLine(["several actors", "namespace one", "namespace two"])
        let ids = try actors(try await inspect(directory)).compactMap { $0["id"] as? String }
        #expect(try actors(try await inspect(directory, ["--actor", ids[1]])).map { $0["id"] as? String } == [ids[1]])
    }

    @Test(
        "a reader that goes away ends the tool by SIGPIPE, or with one line where that is ignored; never by a trap",
        arguments: [[], ["--json"]]
    )
    func survivesClosedPipe(arguments: [String]) async throws {
        let scratch = try ScratchDirectory()
        let directory = try await filled(scratch)
        // The reader has gone before the tool writes: the tool starts when the end of the pipe is closed.
        let script = "{ read _ < \"$0\"; exec \"$@\"; } | { exec 0<&-; : > \"$0\"; }; exit ${PIPESTATUS[0]}"
        for (ignoring, code) in [([], 128 + SIGPIPE), (["env", "--ignore-signal=PIPE"], 1)] as [([String], Int32)] {
            let gate = scratch.file("gate")
            try #require(mkfifo(gate, 0o600) == 0)
            defer { unlink(gate) }
            let tool = try Tool(
                ["inspect", directory] + arguments,
                prefix: ["bash", "-c", script, gate] + ignoring
            )
            let ending = try await tool.wait()
            #expect(ending.code == code, "\(ending.error)")
            #expect(ending.errorLines == (code == 1 ? ["durable: cannot write to standard output: Broken pipe"] : []))
            try await tool.expectNothingLeft()
        }
    }

    @Test(
        "wrong usage says what is right",
        arguments: [["inspect"], ["inspect", "x", "--deaths=-1"], ["inspect", "x", "y"]]
    )
    func refusesUsage(arguments: [String]) async throws {
        let ending = try await Tool.run(arguments)
        #expect(ending.code == 64)
        #expect(ending.error.hasPrefix("Error: ") && ending.error.contains("Usage: durable inspect"))
    }
}
