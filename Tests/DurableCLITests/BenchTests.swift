import Foundation
import FoundationXML
import Glibc
import Testing

/// The benchmarks as a user runs them, with few rounds. Each run is also checked for what it leaves: no process, no
/// temporary file. How long anything takes is not looked at.
@Suite("The command durable bench", .timeLimit(.minutes(4)))
struct BenchTests {
    private struct Run {
        let report: [String: Any]
        let page: String

        /// The names of the figures of a unit.
        func names(_ unit: String) -> [String] {
            figures.filter { $0["unit"] as? String == unit }.compactMap { $0["name"] as? String }
        }

        var figures: [[String: Any]] { report["figures"] as? [[String: Any]] ?? [] }
    }

    /// Runs a benchmark with `--json` and `--html`, and checks what is the same in all of them.
    private func run(_ arguments: [String], plots: Int) async throws -> Run {
        let scratch = try ScratchDirectory()
        let page = scratch.file("page.html")
        let ending = try await Tool.run(["bench"] + arguments + ["--seed", "7", "--json", "--html", page])
        #expect(ending.code == 0, "status \(ending.status): \(ending.error)")
        #expect(ending.output.hasSuffix("}\n") && ending.output.split(separator: "\n").count == 1, "one line")
        let value = try JSONSerialization.jsonObject(with: Data(ending.output.utf8))
        let report = try #require(value as? [String: Any])
        #expect(report["benchmark"] as? String == arguments[0])
        #expect((report["question"] as? String)?.hasSuffix("?") == true)
        #expect((report["parameters"] as? [String: String])?["seed"] == "7")
        for name in ["date", "processor", "kernel", "swift"] {
            #expect((report[name] as? String)?.isEmpty == false, "\(name)")
        }
        #expect((report["cores"] as? Int).map { $0 > 0 } == true)
        #expect(report["release"] is Bool)
        #expect((report["load"] as? [Any])?.count == 2)
        #expect((report["notes"] as? [String])?.isEmpty == false)
        let text = try String(contentsOfFile: page, encoding: .utf8)
        try checkPage(text, plots: plots, of: report)
        return Run(report: report, page: text)
    }

    /// A page is whole, holds its plots as well-formed SVG and each figure's name, and asks for nothing from elsewhere.
    private func checkPage(_ page: String, plots: Int, of report: [String: Any]) throws {
        #expect(page.hasPrefix("<!doctype html>") && page.hasSuffix("</html>\n"))
        let drawings = page.components(separatedBy: "<svg").dropFirst().map {
            "<svg" + $0.components(separatedBy: "</svg>")[0] + "</svg>"
        }
        #expect(drawings.count == plots)
        for drawing in drawings {
            let parser = XMLParser(data: Data(drawing.utf8))
            #expect(parser.parse(), "line \(parser.lineNumber): \(parser.parserError.map { "\($0)" } ?? "")")
            #expect(drawing.contains("<rect") || drawing.contains("<circle"), "a plot shows something")
            for odd in ["nan", "inf\"", "\"-"] { #expect(!drawing.contains(odd), "\(odd)") }
        }
        for outside in ["http:", "https:", "//", "src=", "href=", "url(", "@import", "<link", "<script", "<img"] {
            #expect(!page.contains(outside), "the page refers to \(outside)")
        }
        #expect(page.contains("prefers-color-scheme: dark"))
        for figure in report["figures"] as? [[String: Any]] ?? [] {
            #expect(page.contains((figure["name"] as? String ?? "?").replacingOccurrences(of: ">", with: "&gt;")))
        }
    }

    /// What stderr says besides how far the benchmark is, which depends on how busy the machine is.
    private func complaints(_ ending: Ending) -> [Substring] {
        ending.errorLines.filter { !$0.hasSuffix(" s left") }
    }

    private let percentiles: Set = ["p50", "p99", "p99.9", "max"]

    @Test("recovery tells every phase of every state, durability and spare, beside a flush of the disk")
    func measuresRecovery() async throws {
        let run = try await run(["recovery", "--rounds", "2", "--sizes", "0B,64KiB"], plots: 3)
        let cells = try #require(run.report["cells"] as? [[String: Any]])
        #expect(cells.count == 8)
        let kinds = cells.map { "\($0["stateBytes"] ?? "") \($0["durability"] ?? "") \($0["spare"] ?? "")" }
        #expect(Set(kinds).count == 8 && kinds.contains("65536 process cold") && kinds.contains("0 disk warm"))
        let keys: Set = [
            "count", "minMilliseconds", "p50Milliseconds", "p99Milliseconds", "p99.9Milliseconds", "maxMilliseconds",
        ]
        for cell in cells {
            let total = try #require(cell["total"] as? [String: Any])
            #expect(Set(total.keys) == keys && total["count"] as? Int == 2)
            let phases = try #require(cell["phases"] as? [String: [String: Any]])
            #expect(Set(phases.keys) == ["noticed", "assigned", "claimed", "restored", "answered"])
            for phase in phases.values { #expect(Set(phase.keys) == keys && phase["count"] as? Int == 2) }
            #expect((cell["totals"] as? [Double])?.count == 2)
        }
        let flush = try #require(run.report["flush"] as? [String: Any])
        #expect(Set(flush.keys) == keys && flush["count"] as? Int == 16)
        #expect(run.names("milliseconds").count == 9 && run.names("milliseconds").contains("64 KiB, .disk, warm"))
        #expect(run.names("p50 of each phase, milliseconds").count == 8)
    }

    @Test("calls tells latencies and throughput by payload and durability")
    func measuresCalls() async throws {
        let arguments = ["calls", "--rounds", "1", "--calls", "20", "--in-flight", "4", "--payloads", "16B,4KiB"]
        let run = try await run(arguments, plots: 2)
        let names = ["read", "change, .process", "change, .disk"].flatMap { kind in
            ["16 B", "4 KiB"].map { "\(kind), \($0)" }
        }
        #expect(run.names("milliseconds") == names)
        #expect(run.names("pipelined calls") == names)
        for figure in run.figures {
            let values = try #require(figure["values"] as? [String: Double])
            let expected =
                figure["unit"] as? String == "milliseconds" ? percentiles.union(["per second"]) : ["per second"]
            #expect(Set(values.keys) == expected && values.values.allSatisfy { $0 > 0 }, "\(values)")
        }
    }

    @Test("checkpoints tells durable changes by depth, and what the disk can do by itself")
    func measuresCheckpoints() async throws {
        let run = try await run(["checkpoints", "--rounds", "1", "--changes", "40", "--depths", "1,8"], plots: 1)
        let changes = ["process", "disk"].flatMap { level in [1, 8].map { "change, .\(level), \($0) in flight" } }
        let floors = ["bare fdatasync of 4 KiB", "bare LMDB commit, flushed", "bare LMDB commit, not flushed"]
        #expect(run.names("durable changes") == floors + changes)
        for figure in run.figures {
            #expect((figure["values"] as? [String: Double])?["per second"].map { $0 > 0 } == true)
        }
    }

    @Test("start tells the way from nothing and from spawn, warm and cold")
    func measuresStart() async throws {
        let run = try await run(["start", "--rounds", "1"], plots: 2)
        #expect(
            run.names("milliseconds") == [
                "runtime starts, empty directory", "runtime start to first durable answer",
                "spawn to first durable answer, warm", "spawn to first durable answer, cold",
            ]
        )
        for figure in run.figures { #expect(Set((figure["values"] as? [String: Double] ?? [:]).keys) == percentiles) }
    }

    @Test("memory tells what a dedicated and a shared actor take")
    func measuresMemory() async throws {
        let run = try await run(["memory", "--dedicated", "2", "--shared", "8"], plots: 1)
        let names = [
            "dedicated actor, its process", "shared actor, each further one", "process of 8 shared actors",
            "supervisor",
        ]
        #expect(run.names("KiB") == names)
        for figure in run.figures {
            let values = try #require(figure["values"] as? [String: Double])
            #expect(Set(values.keys) == ["PSS", "own"])
            // What a further actor takes may drown in eight.
            guard figure["name"] as? String != names[1] else { continue }
            #expect(values.values.allSatisfy { $0 > 100 }, "a process takes more than that: \(values)")
        }
    }

    @Test("people get question, machine, seed, tables and a chart, without colours where nobody watches")
    func talksToPeople() async throws {
        let ending = try await Tool.run(
            [
                "bench", "recovery", "--rounds", "1", "--sizes", "1KiB", "--durability", "process", "--spares", "warm",
                "--seed", "9",
            ]
        )
        #expect(ending.code == 0, "\(ending.error)")
        for part in [
            "recovery: rounds 1, sizes 1KiB, durability process, spares warm, seed 9\n",
            "how long until its next answer", " cores, ", "Linux ",
            "Swift ",
            "load ", "p99.9", "1 KiB, .process, warm", "fdatasync of 4 KiB", "## noticed  == assigned",
        ] {
            #expect(ending.output.contains(part), "\(part) in \(ending.output)")
        }
        #expect(!ending.output.contains("\u{1B}"))
        #expect(complaints(ending).isEmpty, "\(ending.error)")
    }

    @Test("a claim that holds ends with 0, one that does not with 1 and its name, after the figures")
    func checksClaims() async throws {
        let arguments = ["bench", "start", "--rounds", "1", "--json"]
        let held = try await Tool.run(arguments + ["--assert", "max<1000s", "--assert", "p50>1ns"])
        #expect(held.code == 0 && complaints(held).isEmpty, "\(held.error)")
        let broken = try await Tool.run(arguments + ["--assert", "max<1000s", "--assert", "p99 < 1ns"])
        #expect(broken.code == 1)
        #expect(complaints(broken).count == 4, "\(broken.error)")
        for line in complaints(broken) {
            #expect(line.hasPrefix("durable: p99 < 1ns does not hold of ") && line.hasSuffix(" ms"))
        }
        #expect(broken.output.hasPrefix("{"), "the figures are told all the same")
    }

    @Test(
        "what cannot be read is a usage error that says what can",
        arguments: [
            (["recovery", "--assert", "p99<50"], "\"p99<50\" is no assertion: 50 has no unit"),
            (["start", "--assert", "quick"], "write one as in p99<50ms"),
            (["recovery", "--rounds", "0"], "--rounds is 0; allowed are 1 to 100000"),
            (["recovery", "--sizes", "1KB"], "\"1KB\" is no size"),
            (["recovery", "--sizes", "1KiB,1024B"], "\"1024B\""),
            (["recovery", "--sizes", "5GiB"], "at most 4GiB"), (["recovery", "--sizes", ""], "\"\" is no size"),
            (["calls", "--payloads", "9999999999999999999GiB"], "is no size"),
            (["calls", "--in-flight", "0"], "--in-flight 0"),
            (["checkpoints", "--depths", "1,,2"], "\"\" is no depth"),
            (["checkpoints", "--assert", "p99<1s"], "--assert"),
            (["memory", "--shared", "1"], "--shared 1"), (["start", "--rounds", "10001"], "--rounds is 10001"),
        ]
    )
    func refusesArguments(arguments: [String], expected: String) async throws {
        let ending = try await Tool.run(["bench"] + arguments)
        #expect(ending.code == 64, "\(ending.error)")
        #expect(ending.error.hasPrefix("Error: ") && ending.error.contains(expected), "\(ending.error)")
        #expect(ending.output == "")
    }

    @Test("files and directories that cannot be used are named before anything is measured")
    func namesPaths() async throws {
        let scratch = try ScratchDirectory()
        let missing = scratch.file("missing/page.html")
        try await Tool.run(["bench", "start", "--html", missing]).expectOneLine([missing, "No such file"])
        try await Tool.run(["bench", "start", "--directory", scratch.file("none")]).expectOneLine([
            "none", "No such file",
        ])
        let file = try scratch.file("file", holding: "")
        try await Tool.run(["bench", "start", "--directory", file]).expectOneLine([file, "is not a directory"])
    }

    @Test("the directory that is named is the one that is measured, and is empty again afterwards")
    func usesTheDirectory() async throws {
        let scratch = try ScratchDirectory()
        let tool = try Tool(["bench", "recovery", "--rounds", "1000", "--directory", scratch.path])
        try await eventually("a runtime in \(scratch.path)") {
            try FileManager.default.contentsOfDirectory(atPath: scratch.path)
        } is: {
            $0.count == 1
        }
        try await tool.send(SIGINT)
        let ending = try await tool.wait()
        #expect(ending.code == 130)
        try await tool.expectNothingLeft()
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path) == [])
    }

    @Test(
        "interrupted at whatever moment, a benchmark leaves nothing",
        arguments: [
            ("recovery", 1), ("recovery", 7), ("start", 2), ("start", 4), ("memory", 5), ("checkpoints", 4),
            ("calls", 3),
        ]
    )
    func leavesNothing(command: String, processes: Int) async throws {
        let many = ["recovery": "--rounds", "start": "--rounds", "memory": "--shared"]
        let tool = try Tool(["bench", command] + (many[command].map { [$0, "5000"] } ?? ["--rounds", "1000"]))
        try await eventually("\(processes) processes") {
            tool.descendants.count
        } is: {
            $0 >= processes
        }
        try await tool.send(SIGINT)
        let ending = try await tool.wait()
        try await tool.expectNothingLeft()
        #expect(ending.code == 130, "\(ending.error)")
        #expect(
            ending.errorLines.last.map { $0.hasSuffix("durable: interrupted; nothing is left running") } == true,
            "\(ending.error)"
        )
        #expect(ending.output == "")
    }
}
