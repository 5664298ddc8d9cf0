import DurableActors
import DurableChaos
import DurableTesting
import Foundation
import Testing

/// The end of `docs/chaos.md`: the bug is fixed, and everything passes.
enum Fixed {
    distributed actor Seats: DurableActor {
        @Checkpointed var taken: [String] = []
        var free: Int { 2 - taken.count }

        init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
            self.actorSystem = actorSystem
        }

        distributed func book(_ guest: String) -> Bool {
            guard free > 0 else { return false }
            taken.append(guest)
            return true
        }

        distributed func guests() -> [String] { taken }
    }

    @Suite(.serialized) struct FireTests {
        @Test(.chaos(.kill(every: .milliseconds(50)), .killSupervisor(every: .milliseconds(400)), seed: 42))
        func `guests see a hall of two seats, whatever dies`() async throws {
            let seats = try await TestRuntime.current.getOrCreate(Seats.self, name: "hall")
            let recorder = HistoryRecorder<Hall>()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for agent in 1...3 {
                    group.addTask {
                        for number in 1...8 {
                            try await recorder.record(.book) { try await seats.book("guest \(agent).\(number)") }
                        }
                    }
                }
                try await group.waitForAll()
            }
            let verdict = recorder.history.linearizability(from: Hall())
            #expect(verdict.isLinearizable, "\(verdict)")
        }

        @Test(.chaos(.kill(every: .milliseconds(50)), .dropReply(every: .milliseconds(40)), seed: 42))
        func `the actor's own order explains what guests saw`() async throws {
            let seats = try await TestRuntime.current.getOrCreate(Seats.self, name: "hall")
            let recorder = HistoryRecorder<Hall>()
            for number in 1...40 {
                try await recorder.record(.book) { try await seats.book("guest \(number)") }
            }
            let verdict = recorder.history.witness(from: Hall())
            #expect(verdict.isWitnessed, "\(verdict)")
        }

        @Test(.chaos(.anything(every: .milliseconds(50)), seed: 42))
        func `who was told to have a seat has it, and once`() async throws {
            let seats = try await TestRuntime.current.getOrCreate(Seats.self, name: "hall")
            let bookings = AcknowledgedChanges<String>()
            try await bookings.record("Ada") { try await seats.book("Ada") }
            try bookings.verify(try await seats.guests())
            for _ in 0..<100 { try bookings.verify(try await seats.guests()) }
        }

        @Test func `the schedule that found the bug finds nothing any more`() async throws {
            let faults = [ChaosFault(.kill, at: .milliseconds(142), choice: 318)]
            try await ActorRuntime.withRuntime { runtime in
                let seats = try await runtime.getOrCreate(Seats.self, name: "hall")
                let recorder = HistoryRecorder<Hall>()
                try await withChaos(runtime, ChaosSchedule(faults)) {
                    for number in 1...20 {
                        try await recorder.record(.book) { try await seats.book("guest \(number)") }
                        try await Task.sleep(for: .milliseconds(25))
                    }
                }
                let verdict = recorder.history.linearizability(from: Hall())
                #expect(verdict.isLinearizable, "\(verdict)")
                try await runtime.kill(seats)
            }
        }
    }
}

/// The tutorial shows nothing that was not compiled and run.
@Suite struct TutorialTests {
    @Test func `every block of docs/chaos.md is in the files of this directory`() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        let root = folder.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let document = try String(contentsOf: root.appendingPathComponent("docs/chaos.md"), encoding: .utf8)
        let sources = try ["Overbooked.swift", "Fixed.swift"].map {
            Self.normalised(try String(contentsOf: folder.appendingPathComponent($0), encoding: .utf8))
        }
        let blocks = document.components(separatedBy: "```swift\n").dropFirst().map {
            Self.normalised($0.components(separatedBy: "```")[0])
        }
        #expect(blocks.count >= 7)
        for block in blocks {
            #expect(sources.contains { $0.contains(block) }, "not compiled:\n\(block)")
        }
    }

    /// Without indentation and empty lines.
    private static func normalised(_ text: String) -> String {
        text.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
            .joined(separator: "\n")
    }
}
