import Foundation
import FoundationXML
import Glibc
import Testing

/// The scenarios as a user runs them, each for a moment. Each run is also checked for what it leaves: no process, no
/// temporary file.
@Suite("The command durable chaos", .timeLimit(.minutes(3)), .serialized)
struct ChaosTests {
    private static let usual = ["--duration", "1500ms", "--every", "100ms", "--seed", "7", "--durability", "process"]

    private func object(_ ending: Ending) throws -> [String: Any] {
        #expect(ending.output.hasSuffix("}\n") && ending.output.split(separator: "\n").count == 1, "one line")
        let value = try JSONSerialization.jsonObject(with: Data(ending.output.utf8))
        return try #require(value as? [String: Any])
    }

    /// The page is whole, holds well-formed drawings, and asks for nothing from elsewhere.
    private func checkPage(_ page: String, drawings count: Int) throws {
        #expect(page.hasPrefix("<!doctype html>") && page.hasSuffix("</html>\n"))
        let drawings = page.components(separatedBy: "<svg").dropFirst().map {
            "<svg" + $0.components(separatedBy: "</svg>")[0] + "</svg>"
        }
        #expect(drawings.count == count)
        for drawing in drawings {
            let parser = XMLParser(data: Data(drawing.utf8))
            #expect(parser.parse(), "line \(parser.lineNumber): \(parser.parserError.map { "\($0)" } ?? "")")
            for odd in ["nan", "inf\"", "\"-"] { #expect(!drawing.contains(odd), "\(odd)") }
        }
        for outside in ["http:", "https:", "//", "src=", "href=", "url(", "@import", "<link", "<script", "<img"] {
            #expect(!page.contains(outside), "the page refers to \(outside)")
        }
    }

    @Test("every scenario keeps its promises under fire", arguments: ["ledger", "bank", "queue", "counter"])
    func keepsPromises(scenario: String) async throws {
        let scratch = try ScratchDirectory()
        let file = scratch.file("page.html")
        let ending = try await Tool.run(["chaos", scenario, "--json", "--html", file] + Self.usual)
        #expect(ending.code == 0, "status \(ending.status): \(ending.error)\(ending.output)")
        #expect(ending.error == "")
        let report = try object(ending)
        #expect(report["scenario"] as? String == scenario)
        #expect(report["verdict"] as? String == "holds")
        #expect(report["lost"] as? Int == 0)
        #expect(report["doubled"] as? Int == 0)
        #expect(report["seed"] as? Int == 7)
        let calls = try #require(report["calls"] as? [String: Any])
        #expect((calls["acknowledged"] as? Int).map { $0 > 20 } == true)
        let checks = try #require(report["checks"] as? [[String: Any]])
        #expect(checks.count >= 5 && checks.allSatisfy { $0["verdict"] as? String == "holds" })
        // The end kills everything once more, so there are always hits of workers and of the supervisor.
        let strikes = try #require(report["strikes"] as? [[String: Any]])
        #expect(strikes.contains { $0["title"] as? String == "\(scenario == "bank" ? "account" : scenario)-1" })
        #expect(strikes.contains { $0["title"] as? String == "supervisor" })
        #expect(strikes.allSatisfy { $0["recoveryMilliseconds"] is NSNumber }, "whatever was hit answers again")
        let recoveries = try #require(report["recoveries"] as? [String: [String: Any]])
        #expect(recoveries["worker"]?["p99Milliseconds"] is NSNumber)
        let page = try String(contentsOfFile: file, encoding: .utf8)
        try checkPage(page, drawings: 2)
        let command = try #require(report["command"] as? String)
        #expect(command.hasPrefix("durable chaos \(scenario) --seed 7 --duration 1500ms"))
        for part in ["class=\"timeline\"", "<rect class=\"c2\"", "class=\"c0 area\"", "all \(checks.count) promises"] {
            #expect(page.contains(part), "\(part)")
        }
        #expect(page.contains(command))
    }

    @Test("actors that forget are found out: exit code 1, what is wrong, and the faults around it")
    func findsForgetful() async throws {
        let ending = try await Tool.run(["chaos", "forgetful"] + Self.usual)
        #expect(ending.code == 1)
        for part in [
            "BROKEN  the values are the sums of what was acknowledged", "were acknowledged\n", "faults around it:",
            "promises are broken; seed 7; again: durable chaos forgetful --seed 7",
        ] { #expect(ending.output.contains(part), "\(part) is not in \(ending.output)") }
        #expect(ending.error.hasPrefix("forgetful: 8 clients, kill,"))
    }

    @Test("claims of the recoveries are checked")
    func checksClaims() async throws {
        let arguments = ["chaos", "ledger", "--json", "--duration", "500ms", "--faults", "kill"]
        let ending = try await Tool.run(arguments + ["--assert", "max<1us", "--assert", "p50<60s"])
        #expect(ending.code == 1)
        #expect(ending.error.contains("max<1us does not hold: max is ") && ending.errorLines.count == 1)
        #expect(try object(ending)["verdict"] as? String == "holds")
    }

    @Test("SIGINT ends a run with the report so far, and leaves nothing")
    func isInterrupted() async throws {
        let tool = try Tool(["chaos", "ledger", "--duration", "10min", "--every", "100ms", "--durability", "process"])
        try await eventually("faults") {
            try tool.error
        } is: {
            $0.contains(" faults, recovery p50 ")
        }
        try await tool.send(SIGINT)
        let ending = try await tool.wait()
        try await tool.expectNothingLeft()
        #expect(ending.code == 130, "\(ending.error)\(ending.output)")
        #expect(ending.output.contains("interrupted after ") && ending.output.contains("all 6 promises hold"))
    }

    @Test("a second SIGINT ends a run at once")
    func isInterruptedTwice() async throws {
        let tool = try Tool(["chaos", "bank", "--duration", "10min", "--durability", "process"])
        try await eventually("workers") {
            tool.workers.count
        } is: {
            $0 >= 4
        }
        try await tool.send(SIGINT)
        try await tool.send(SIGINT)
        let ending = try await tool.wait()
        try await tool.expectNothingLeft()
        #expect(ending.code == 130, "\(ending.error)")
    }

    @Test("--list shows every scenario and every fault")
    func lists() async throws {
        let ending = try await Tool.run(["chaos", "--list"])
        #expect(ending.code == 0)
        for word in ["ledger", "bank", "queue", "counter", "forgetful", "killSupervisor", "freeze"] {
            #expect(ending.output.contains(word))
        }
    }

    @Test(
        "options that are not allowed are usage errors, which say what is",
        arguments: [
            ([], "give a scenario (ledger, bank, queue, counter, forgetful), or --attach"), (["shop"], "shop"),
            (["bank", "--actors", "1"], "--actors is 1; allowed are 2 to 64"),
            (["ledger", "--clients", "0"], "--clients is 0; allowed are 1 to 1024"),
            (["ledger", "--duration", "10"], "10"), (["ledger", "--duration", "2h"], "allowed are 100ms to 1h"),
            (["ledger", "--every", "0ms"], "--every is 0ms; allowed are 1ms to 1h"),
            (["ledger", "--rate", "0"], "--rate is 0.0; allowed are 0.001 to 1000"),
            (["ledger", "--rate", "5", "--every", "1s"], "either --every or --rate"),
            (["ledger", "--faults", "kill,flood"], "there is no fault \"flood\"; there are kill, abort,"),
            (["ledger", "--down-max", "0"], "--down-max is 0; allowed are 1 to 64"),
            (["ledger", "--assert", "p99"], "p99"), (["ledger", "--yes"], "--yes is for --attach"),
            (["ledger", "--attach", "."], "takes no scenario"),
            (["--attach", ".", "--clients", "3"], "--clients is for scenarios"),
            (["--attach", ".", "--faults", "freeze"], "freeze is not for --attach"),
            (["--attach", ".", "--objective", "1ms"], "--objective is 1ms; allowed are 10ms to 10min"),
        ] as [([String], String)]
    )
    func refusesOptions(arguments: [String], expected: String) async throws {
        let ending = try await Tool.run(["chaos"] + arguments)
        #expect(ending.code == 64)
        #expect(ending.error.hasPrefix("Error: ") && ending.error.contains(expected), "\(ending.error)")
        #expect(ending.output == "")
    }

    @Test("a page that cannot be written is refused before anything is started")
    func refusesPage() async throws {
        let ending = try await Tool.run(["chaos", "ledger", "--html", "/nowhere/page.html"])
        ending.expectOneLine(["/nowhere/page.html", "No such file"])
    }
}
