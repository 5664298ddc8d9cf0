import DurableActors
import Synchronization

/// What the calls of one trial were promised, against which the actors' accounts are held.
final class CallLog: Sendable {
    /// How a call ended.
    enum Outcome: Sendable { case acknowledged, unknown }

    /// A call and the actors that it changes.
    struct Entry: Sendable {
        var label: String
        var actors: [String]
        var outcome: Outcome
    }

    private let state = Mutex<[Entry]>([])
    private let delivery: Delivery

    init(_ delivery: Delivery) { self.delivery = delivery }

    var entries: [Entry] { state.withLock { $0 } }

    /// Makes a call that changes these actors and notes how it ended.
    /// - Throws: What a caller must not see.
    func call(_ label: String, of actors: String..., body: () async throws -> Int) async throws {
        do {
            let reply = try await body()
            note(label, actors, .acknowledged)
            guard reply > 0 else { throw ActorError(.internalError, "\(label) was answered with \(reply)") }
        } catch let error as ActorError where error.code == .unavailable && delivery == .once {
            note(label, actors, .unknown)
        }
    }

    /// Does what only serves the scenario; without retries it may fail, and is tried again.
    func ensure(_ body: () async throws -> Void) async throws {
        while true {
            do { return try await body() } catch let error as ActorError
                where error.code == .unavailable && delivery == .once
            {
                try await Task.sleep(for: .milliseconds(1))
            }
        }
    }

    private func note(_ label: String, _ actors: [String], _ outcome: Outcome) {
        state.withLock { $0.append(Entry(label: label, actors: actors, outcome: outcome)) }
    }

    /// A sentence for each promise that an actor's account breaks.
    func violations(_ accounts: [String: Teller.Account]) -> [String] {
        let entries = entries
        var sentences: [String] = []
        for (name, account) in accounts {
            var unexpected = account.seen
            for entry in entries where entry.actors.contains(name) {
                let times = unexpected.removeValue(forKey: entry.label) ?? 0
                let isRight = entry.outcome == .acknowledged ? times == 1 : times <= 1
                if !isRight { sentences.append("\(name) has \(entry.outcome) call \(entry.label) \(times) times") }
            }
            if !unexpected.isEmpty { sentences.append("\(name) has calls that nobody made: \(unexpected)") }
            let sum = account.seen.values.reduce(0, +)
            if sum != account.total { sentences.append("\(name) says \(account.total) and has \(sum) calls") }
        }
        return sentences
    }
}
