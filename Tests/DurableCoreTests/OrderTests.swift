import DurableChaos
import DurableCore
import Testing

struct SubmissionOrderTests {
    @Test func callsThatAreReadyInOrderLeaveAtOnce() {
        var order = SubmissionOrder<String>()
        let tickets = (0..<3).map { _ in order.draw() }
        #expect(order.sent(tickets[0], with: "a") == ["a"])
        #expect(order.sent(tickets[1], with: "b") == ["b"])
        #expect(order.release(tickets[2]).isEmpty)
    }

    @Test func callsWaitForThoseBeforeThemAndLeaveTogether() {
        var order = SubmissionOrder<String>()
        let tickets = (0..<5).map { _ in order.draw() }
        #expect(order.sent(tickets[3], with: "d").isEmpty)
        #expect(order.sent(tickets[1], with: "b").isEmpty)
        #expect(order.release(tickets[2]).isEmpty)
        #expect(order.sent(tickets[0], with: "a") == ["a", "b", "d"])
        #expect(order.sent(tickets[4], with: "e") == ["e"])
    }

    @Test func releasesThatComeTwiceOrTooLateOrTooEarlyChangeNothing() {
        var order = SubmissionOrder<String>()
        #expect(order.release(0).isEmpty, "not drawn yet")
        let tickets = (0..<3).map { _ in order.draw() }
        #expect(order.sent(tickets[1], with: "b").isEmpty)
        #expect(order.release(tickets[1]).isEmpty, "its call is there already")
        #expect(order.release(tickets[0]) == ["b"])
        #expect(order.release(tickets[0]).isEmpty)
        #expect(!order.isOpen(tickets[0]) && !order.isOpen(tickets[1]) && order.isOpen(tickets[2]))
        #expect(order.sent(tickets[2], with: "c") == ["c"])
    }

    @Test(arguments: Seeds.first(50)) func whateverTheOrderOfFillAndReleaseCallsLeaveInTicketOrder(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var order = SubmissionOrder<UInt64>()
        var open: [UInt64] = []
        var filled: Set<UInt64> = []
        var sent: [UInt64] = []
        for step in 0..<1000 {
            // The last steps draw nothing more and settle what is left.
            if step < 500, Bool.random(using: &random) { open.append(order.draw()) }
            guard !open.isEmpty, step >= 500 || Bool.random(using: &random) else { continue }
            let ticket = open.remove(at: Int.random(in: 0..<open.count, using: &random))
            #expect(order.isOpen(ticket))
            if random.oneIn(3) {
                sent += order.release(ticket)
            } else {
                filled.insert(ticket)
                sent += order.sent(ticket, with: ticket)
            }
            #expect(!order.isOpen(ticket))
            let settled = open.min().map { first in filled.filter { $0 < first } } ?? filled
            #expect(sent.count == settled.count, "a call waits although nothing before it is open")
        }
        #expect(open.isEmpty)
        #expect(sent == filled.sorted())
    }
}

extension SubmissionOrder {
    /// What may be sent when a ticket's call is there.
    fileprivate mutating func sent(_ ticket: Ticket, with call: Call) -> [Call] {
        let (isNext, behind) = fill(ticket, with: call)
        return isNext ? [call] + behind : []
    }
}
