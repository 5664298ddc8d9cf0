import DurableCore
import Testing

@testable import durable

@Suite("Records and totals of the demonstration")
struct RecordTextTests {
    private func texts(_ text: String) throws -> [String] {
        try RecordText(Array(text.utf8), ledgers: 4).records.map(\.text)
    }

    @Test("blank lines separate records; without any, each line is one")
    func cuts() throws {
        #expect(try texts("a\nb\n\n \t\nc\n") == ["a\nb", "c"])
        #expect(try texts("a\r\nb\r\n\r\nc\r\n") == ["a\r\nb", "c"])
        #expect(try texts("\na b\nc\n\n") == ["a b", "c"])
        #expect(try texts("") == [])
        #expect(try texts(" \n\n") == [])
    }

    @Test("records of one key go to one ledger")
    func shards() throws {
        let records = try RecordText(Array("k 1\nk 2\n\tk 3".utf8), ledgers: 64).records
        #expect(Set(records.map(\.ledger)).count == 1)
    }

    @Test("a record's bytes, words, numbers and first letter are counted")
    func measures() {
        let measure = Measure("ab 12 x3y\n40")
        #expect(measure.bytes == 12)
        #expect(measure.words == 4)
        #expect(measure.sum == 55)
        #expect(measure.letter == "A")
        #expect(measure.digest == StableHash.of("ab 12 x3y\n40".utf8))
        #expect(StableHash.of("a".utf8) == 0xaf63_dc4c_8601_ec8c)
    }

    @Test("several passes are what adding each record several times gives")
    func multiplies() throws {
        let text = try RecordText(Array("a 1\nb 2\nc 99999999999999999999999\nä".utf8), ledgers: 1)
        var totals = Totals()
        for _ in 0..<3 { for record in text.records { totals.add(Measure(record.text)) } }
        #expect(text.expected(ledgers: 1, passes: 3) == [totals])
        #expect(totals.letters == ["A": 3, "B": 3, "C": 3, "other": 3])
    }
}

@Suite("What the demonstration concludes")
struct ComparisonTests {
    @Test("a missing record is lost, one too many is doubled, and every field is compared")
    func compares() {
        var one = Totals()
        one.add(Measure("a 1"))
        var two = one
        two.add(Measure("b 2"))
        #expect(Comparison(expected: [one], actual: [one]).differences.isEmpty)
        let both = Comparison(expected: [two, one], actual: [one, two])
        #expect(both.lost == 1)
        #expect(both.doubled == 1)
        var other = one
        other.digest += 1
        let changed = Comparison(expected: [one], actual: [other])
        #expect((changed.lost, changed.doubled) == (0, 0))
        #expect(changed.differences.count == 1)
    }

    @Test("each field that differs is printed and fails the run, in the table and in JSON")
    func reportsDifferences() throws {
        let text = try RecordText(Array("a 1\nb 2\nc 3".utf8), ledgers: 1)
        let expected = text.expected(ledgers: 1, passes: 2)
        func report(_ actual: Totals, acknowledged: Int) -> DemoReport {
            DemoReport(
                settings: DemoRun.Settings(
                    actors: 1,
                    callers: 1,
                    kills: 0,
                    durability: .disk,
                    seed: 5,
                    isTemporary: false
                ),
                directory: "/nowhere",
                records: 3,
                passes: 2,
                acknowledged: acknowledged,
                elapsed: .seconds(1),
                restarts: 0,
                tally: Tally.Snapshot(),
                comparison: Comparison(expected: expected, actual: [actual])
            )
        }
        let clean = report(expected[0], acknowledged: 6)
        #expect(clean.isClean && !clean.text.contains("DIFFERS"))

        var actual = expected[0]
        actual.records -= 1
        actual.sum += 1
        actual.letters["B"] = nil
        let wrong = report(actual, acknowledged: 6)
        #expect(!wrong.isClean)
        #expect(wrong.text.contains("  lost                     1\n"))
        #expect(wrong.text.contains("  differences              3\n"))
        let lines = [
            "ledger-1: records is 5, expected 6", "ledger-1: sum is 13, expected 12",
            "ledger-1: letters[B] is 0, expected 2",
        ]
        #expect(wrong.text.hasSuffix(lines.map { "  DIFFERS: \($0)\n" }.joined()))
        #expect(wrong.differences == lines)
        #expect(try wrong.json.contains("\"ledger-1: letters[B] is 0, expected 2\""))

        let short = report(expected[0], acknowledged: 5)
        #expect(!short.isClean)
        #expect(short.text.hasSuffix("  DIFFERS: calls acknowledged is 5, expected 6\n"))
    }

    @Test("percentiles are the nearest rank")
    func ranks() {
        let percentiles = Percentiles((1...200).map { .milliseconds($0) })
        #expect(percentiles.p50 == .milliseconds(100))
        #expect(percentiles.p99 == .milliseconds(198))
        #expect(percentiles.max == .milliseconds(200))
        #expect(Percentiles([]).p50 == nil)
    }

    @Test("the feed goes on in whole passes until it is told that it is enough")
    func feeds() {
        let feed = Feed(records: 3, passes: 1, goesOn: true)
        #expect((0..<4).map { _ in feed.next() } == [0, 1, 2, 0])
        feed.finish()
        #expect((0..<3).map { _ in feed.next() } == [1, 2, nil])
        #expect(feed.passes == 2)
    }
}
