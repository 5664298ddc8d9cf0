import DurableBench
import Foundation
import Testing

@Suite("Reports")
struct ReportTests {
    private func report() -> BenchmarkReport {
        BenchmarkReport(
            benchmark: "trial",
            question: "How \"long\"?",
            parameters: [("rounds", "3"), ("seed", "7")],
            machine: .current(),
            loadBefore: 0.5,
            figures: [
                .init(name: "first", values: [("p50", 1234.5), ("p99", .nan)]),
                .init(name: "second one", values: [("p50", 0.126), ("p99", 45.67)]),
                .init(name: "third", unit: "KiB", values: [("PSS", 7)]),
            ],
            notes: ["A note."]
        )
    }

    @Test("each unit has a table of its own, numbers stand below their columns, and what is no number is a dash")
    func printsTables() {
        let text = report().text
        #expect(
            text.contains("microseconds   p50   p99\nfirst         1235     -\nsecond one    0.13  45.7\n\n"),
            "\(text)"
        )
        #expect(text.contains("KiB    PSS\nthird  7.0\nA note.\n"), "\(text)")
        #expect(text.hasPrefix("trial: rounds 3, seed 7\nHow \"long\"?\n"))
        #expect(text.contains(", load 0.5 before and "))
    }

    @Test("the JSON has everything, and what is no number is null")
    func printsJSON() throws {
        let value = try JSONSerialization.jsonObject(with: Data(report().json.utf8))
        let object = try #require(value as? [String: Any])
        #expect(object["question"] as? String == "How \"long\"?")
        #expect(object["parameters"] as? [String: String] == ["rounds": "3", "seed": "7"])
        let figures = try #require(object["figures"] as? [[String: Any]])
        #expect(figures.map { $0["unit"] as? String } == ["microseconds", "microseconds", "KiB"])
        let first = try #require(figures[0]["values"] as? [String: Any])
        #expect(first["p50"] as? Double == 1234.5 && first["p99"] is NSNull)
    }

    @Test("a machine is described, and memory of a process is told or refused")
    func looksAtTheMachine() throws {
        let machine = BenchmarkMachine.current()
        #expect(machine.coreCount > 0 && !machine.kernel.isEmpty && machine.date.hasSuffix(" UTC"))
        let own = try ProcessMemory(of: getpid())
        #expect(own.resident > own.anonymous && own.anonymous > 0)
        #expect(throws: BenchmarkError.self) { _ = try ProcessMemory(of: Int32.max) }
    }
}
