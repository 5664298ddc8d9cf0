import DurableActors
import DurableCore
import Synchronization

/// What callers of one passbook were told, and whether that can be true.
///
/// Each ticket is used for one call. A ticket that was acknowledged is on record once, at the place that the caller was
/// told; one that was refused is not there; a reader sees at least what was acknowledged before it asked.
final class PassbookWitness: Sendable {
    private struct State {
        var issued = 0
        var acknowledged: [Int: Int] = [:]
        var refused: [Int: ActorError.Code] = [:]
        var uncertain: Set<Int> = []
        var placeMax = 0
        var ends: [Passbook.End] = []
        var last: ContinuousClock.Instant?
        var violations: [String] = []
        var codes: [String: Int] = [:]
    }

    /// With these the change is not kept.
    static let refusals: Set<ActorError.Code> = [.storageFailed, .storageFull]

    /// Tickets from here on are of callers that nobody watches.
    static let foreignTicketsMin = 1 << 40

    private let state = Mutex(State())
    private let first: Int
    /// Errors that callers may get here and that leave open whether the change is kept.
    private let openCodes: Set<ActorError.Code>

    /// - Parameter first: The number of the first ticket; witnesses of one passbook must not share any.
    init(first: Int = 0, openCodes: Set<ActorError.Code> = []) {
        self.first = first
        self.openCodes = openCodes
    }

    var calls: Int { state.withLock { $0.issued } }
    var acknowledged: Int { state.withLock { $0.acknowledged.count } }
    var refused: Int { state.withLock { $0.refused.count } }
    /// The errors that callers got, and how often.
    var codes: [String: Int] { state.withLock { $0.codes } }
    /// When a change was acknowledged last.
    var last: ContinuousClock.Instant? { state.withLock { $0.last } }

    func violate(_ what: String) { state.withLock { $0.violations.append(what) } }

    /// Makes one change, and notes what is said of it.
    @discardableResult
    func enter(_ book: Passbook) async -> Bool {
        let ticket = state.withLock { state in
            state.issued += 1
            return first + state.issued
        }
        do {
            let place = try await book.enter(ticket)
            learn(ticket, place)
            return true
        } catch {
            refuse(ticket, error)
            return false
        }
    }

    /// A change that another process has made, and was told the place of.
    func learn(ticket: Int, place: Int) {
        state.withLock { $0.issued += 1 }
        learn(ticket, place)
    }

    private func learn(_ ticket: Int, _ place: Int) {
        state.withLock { state in
            state.acknowledged[ticket] = place
            state.placeMax = max(state.placeMax, place)
            state.last = .now
        }
    }

    private func refuse(_ ticket: Int, _ error: any Error) {
        let code = (error as? ActorError)?.code
        state.withLock { state in
            state.codes[code?.description ?? "\(type(of: error))", default: 0] += 1
            if let code, Self.refusals.contains(code) {
                state.refused[ticket] = code
            } else if let code, openCodes.contains(code) {
                state.uncertain.insert(ticket)
            } else {
                state.uncertain.insert(ticket)
                state.violations.append("a change ended with an error that nothing explains: \(error)")
            }
        }
    }

    /// Looks where the record ends.
    @discardableResult
    func look(_ book: Passbook) async -> Int32? {
        let before = state.withLock { $0.placeMax }
        do {
            let end = try await book.end()
            state.withLock { state in
                state.ends.append(end)
                guard end.count < before else { return }
                state.violations.append("a reader saw \(end.count) tickets when \(before) were acknowledged")
            }
            return end.process
        } catch {
            let code = (error as? ActorError)?.code
            let isKnown = code.map { Self.refusals.contains($0) || openCodes.contains($0) } ?? false
            state.withLock { state in
                state.codes[code?.description ?? "\(type(of: error))", default: 0] += 1
                if !isKnown { state.violations.append("a reader got an error that nothing explains: \(error)") }
            }
            return nil
        }
    }

    /// Makes changes and looks, until it is told to stop.
    func load(_ book: Passbook, callers: Int, pause: Duration = .milliseconds(2), until stop: StopFlag) async {
        await withTaskGroup(of: Void.self) { group in
            for caller in 0..<callers {
                group.addTask { [self] in
                    var turns = caller
                    while !stop.isUp {
                        turns += 1
                        if turns % 4 == 0 { await look(book) } else { await enter(book) }
                        // Paces the load; nothing waits for it.
                        try? await Task.sleep(for: pause)
                    }
                }
            }
        }
    }

    /// What of all that was said is not true of these contents.
    func violations(in contents: Passbook.Contents) -> [String] {
        let state = state.withLock { $0 }
        var found = state.violations
        let entries = contents.entries
        if contents.count != entries.count {
            found.append("\(contents.count) counted, \(entries.count) there: a torn commit")
        }
        var places: [Int: Int] = [:]
        for (offset, entry) in entries.enumerated() {
            let other = places.updateValue(offset + 1, forKey: entry.ticket)
            if let other, entry.ticket < Self.foreignTicketsMin {
                found.append("ticket \(entry.ticket) was applied twice, at \(other) and \(offset + 1)")
            }
            if offset > 0, entry.life < entries[offset - 1].life {
                found.append("life \(entry.life) wrote at \(offset + 1), behind life \(entries[offset - 1].life)")
            }
        }
        for (ticket, place) in state.acknowledged where places[ticket] != place {
            let there = places[ticket].map { "it is at \($0)" } ?? "it is lost"
            found.append("ticket \(ticket) was acknowledged at \(place), and \(there)")
        }
        for (ticket, code) in state.refused where places[ticket] != nil {
            found.append("ticket \(ticket) was refused with \(code), and is kept")
        }
        for end in state.ends {
            if end.count > entries.count || (end.count > 0 && entries[end.count - 1].ticket != end.ticket) {
                found.append("a reader saw ticket \(end.ticket ?? 0) at \(end.count), which was not kept")
            }
        }
        return found
    }
}

/// Tells tasks that they have done enough.
final class StopFlag: Sendable {
    private let state = Atomic(false)

    var isUp: Bool { state.load(ordering: .relaxed) }

    func raise() { state.store(true, ordering: .relaxed) }
}
