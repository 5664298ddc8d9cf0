import DurableChaos
import Testing

@testable import durable

/// What a run under fire is made of.
@Suite("Parts of durable chaos")
struct ChaosPartsTests {
    @Test("the same seed gives the same faults, one in each period, and another one others")
    func repeatsFaults() throws {
        let kinds = try ChaosKinds("kill,stop,supervisor")
        func faults(_ seed: UInt64) -> [ChaosFault] {
            kinds.faults(every: .milliseconds(50), for: .seconds(5), seed: seed)
        }
        let first = faults(1)
        #expect(first == faults(1) && first != faults(2))
        #expect(first.count == 100)
        for (number, fault) in first.enumerated() {
            let start = Duration.milliseconds(50 * number)
            #expect(fault.offset >= start && fault.offset < start + .milliseconds(50))
            #expect((fault.lasting > .zero) == (fault.kind == .stop))
        }
        #expect(Set(first.map(\.kind)) == [.kill, .stop, .killSupervisor])
    }

    @Test("kinds of faults are read in any spelling, each once")
    func readsKinds() throws {
        #expect(try ChaosKinds("kill-all,KILLALL,supervisor").kinds == [.killAll, .killSupervisor])
        #expect(try ChaosKinds("all").kinds == ChaosFault.Kind.allCases)
        #expect(throws: Failure.self) { try ChaosKinds("kill,,stop") }
    }

    @Test(
        "times are read with their unit",
        arguments: [
            ("30s", 30_000), ("1.5s", 1500), ("250ms", 250), ("2min", 120_000), ("1h", 3_600_000), ("10", nil),
            ("s", nil), ("-1s", nil), ("1e9s", nil), ("25h", nil),
        ] as [(String, Int?)]
    )
    func readsTimes(text: String, expected: Int?) {
        #expect(TimeSpan(argument: text)?.milliseconds == expected)
        if let span = TimeSpan(argument: text) { #expect(TimeSpan(argument: "\(span)") == span) }
    }

    private func history(_ calls: [(CounterModel.Operation, Int, Int, Int?)]) -> CallHistory<CounterModel> {
        CallHistory(
            calls.map { operation, invoked, ended, answer in
                .init(operation, invoked: invoked, ended: ended, answer.map { .acknowledged($0) } ?? .unknown)
            }
        )
    }

    @Test("the witness agrees with the search")
    func witnesses() {
        let good = history([(.add(3), 1, 4, 3), (.add(2), 2, 3, 5), (.read, 5, 6, 5)])
        let lost = history([(.add(3), 1, 2, 3), (.add(2), 3, 4, 2)])
        let doubled = history([(.add(3), 1, 2, 6)])
        let stale = history([(.add(3), 1, 2, 3), (.add(2), 3, 4, 5), (.read, 5, 6, 3)])
        let impossible = history([(.add(3), 1, 2, 3), (.read, 3, 4, 4)])
        let doubtful = history([(.add(4), 1, 2, nil), (.add(3), 3, 4, 7), (.read, 5, 6, 7)])
        for (history, isGood) in [
            (good, true), (lost, false), (doubled, false), (stale, false), (impossible, false), (doubtful, true),
        ] {
            #expect((history.witness() == nil) == isGood)
            #expect(history.linearizability(from: CounterModel()).isLinearizable == isGood)
        }
    }

    @Test("a journal finds what is lost, doubled, out of order, and never made")
    func compares() {
        let journal = ChaosJournal()
        let key = ChaosJournal.Key(client: 0, place: 0)
        let outcomes: [ChaosTraffic.Outcome<Int>] = [
            .acknowledged(1), .acknowledged(2), .unknown, .failed, .acknowledged(5),
        ]
        for outcome in outcomes { journal.end(key, journal.begin(key), outcome, at: .seconds(1)) }
        func compare(_ found: [Int]) -> [Int] {
            var result = ChaosComparison()
            journal.compare(key, found, whole: "entry", in: "in ledger-1", &result)
            return [result.lost.count, result.doubled.count, result.order.count, result.foreign.count]
        }
        #expect(compare([1, 2, 5]) == [0, 0, 0, 0], "what is unknown may be missing")
        #expect(compare([1, 2, 3, 5]) == [0, 0, 0, 0], "and may be there")
        #expect(compare([1, 5]) == [1, 0, 0, 0])
        #expect(compare([1, 2, 2, 5]) == [0, 1, 0, 0])
        #expect(compare([1, 3, 3, 2, 5]) == [0, 1, 1, 0])
        #expect(compare([1, 2, 4, 5, 6]) == [0, 0, 0, 2], "what failed must not be there")
    }

    @Test("the picture keeps within the terminal, and has as many lines at any time")
    func drawsView() throws {
        let settings = ChaosSettings(
            duration: .seconds(10),
            period: .milliseconds(200),
            kinds: .usual,
            seed: 42,
            clients: 8,
            downMax: 1,
            parameters: [],
            command: ""
        )
        let view = ChaosView(title: "bank", settings: settings)
        var page = ChaosBook.Page()
        let empty = view.lines(page, columns: 60)
        page.elapsed = .seconds(5)
        page.acknowledged = 12_345
        page.buckets = (0..<50).map { $0 * 3 }
        page.faults = [.kill: 3]
        page.strikes = (0..<9).map { number in
            ChaosBook.Strike(
                kind: .kill,
                offset: .seconds(number),
                title: "account-\(number)",
                processID: 1,
                recovery: .milliseconds(7)
            )
        }
        let lines = view.lines(page, columns: 60)
        #expect(lines.count == empty.count)
        #expect(lines.allSatisfy { $0.count < 60 })
        #expect(lines[1] == "[###############...............] 5.0 s of 10.0 s")
        #expect(lines.contains { $0.hasPrefix("calls      12,345 acknowledged") })
        #expect(lines.contains { $0.hasPrefix("           ▁") && $0.hasSuffix("██") }, "the rate rises")
        #expect(lines.last?.hasPrefix("8.0 s    kill            account-8, process 1: answers a") == true)
    }
}
