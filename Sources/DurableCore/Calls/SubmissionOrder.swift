#if SEEDED_BUGS
internal import SeededBugs
#endif

/// Keeps the calls of one submitter in order: a ticket is drawn at submission, and calls are sent in ticket order,
/// whatever the tasks that carry them do in between.
package struct SubmissionOrder<Call: Sendable>: Sendable {
    /// A place in the order.
    package typealias Ticket = UInt64

    private var nextTicket: Ticket = 0
    private var nextToSend: Ticket = 0
    private var filled: [Ticket: Call?] = [:]

    package init() {}

    /// Draws the next place.
    package mutating func draw() -> Ticket {
        defer { nextTicket += 1 }
        return nextTicket
    }

    /// Whether the ticket still waits for its call.
    package func isOpen(_ ticket: Ticket) -> Bool {
        ticket >= nextToSend && ticket < nextTicket && filled[ticket] == nil
    }

    /// Whether no ticket before this one waits for its call.
    package func isNext(_ ticket: Ticket) -> Bool { ticket == nextToSend }

    /// The ticket's call is there. Returns whether it may be sent now, and what had waited for it and follows it then.
    package mutating func fill(_ ticket: Ticket, with call: Call) -> (isNext: Bool, behind: [Call]) {
        #if SEEDED_BUGS
        if SeededBug.submissionUnordered.isActive { return (true, []) }
        #endif
        guard ticket == nextToSend else {
            filled[ticket] = .some(call)
            return (false, [])
        }
        return (true, passed())
    }

    /// The ticket's holder makes no call. Returns the calls that had waited for it.
    package mutating func release(_ ticket: Ticket) -> [Call] {
        guard isOpen(ticket) else { return [] }
        guard ticket == nextToSend else {
            filled[ticket] = .some(nil)
            return []
        }
        return passed()
    }

    private mutating func passed() -> [Call] {
        nextToSend += 1
        var ready: [Call] = []
        while !filled.isEmpty, let entry = filled.removeValue(forKey: nextToSend) {
            nextToSend += 1
            if let entry { ready.append(entry) }
        }
        return ready
    }
}
