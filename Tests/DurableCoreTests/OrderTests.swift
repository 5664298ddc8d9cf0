import DurableChaos
import DurableCore
import Testing

struct MailboxTests {
    @Test func oneCallRunsAtATimeAndTheRestStartInOrder() {
        var mailbox = Mailbox<Int>()
        #expect(mailbox.arrived(0) == 0)
        for call in 1...500 { #expect(mailbox.arrived(call) == nil) }
        #expect(mailbox.count == 500)
        for call in 1...500 { #expect(mailbox.finished() == call) }
        #expect(mailbox.isBusy)
        #expect(mailbox.finished() == nil)
        #expect(!mailbox.isBusy)
        #expect(mailbox.finished() == nil)
        #expect(mailbox.arrived(501) == 501)
    }

    @Test func aPausedMailboxStartsNothingUntilItIsTold() {
        var mailbox = Mailbox<Int>()
        mailbox.pause()
        #expect(mailbox.arrived(1) == nil)
        #expect(mailbox.arrived(2) == nil)
        #expect(mailbox.finished() == 1)
        #expect(mailbox.finished() == 2)
        #expect(mailbox.finished() == nil)
    }

    @Test func `a call that is taken away does not start, and the others keep their order`() {
        var mailbox = Mailbox<Int>()
        for call in 0...300 { _ = mailbox.arrived(call) }
        for call in 1...100 { #expect(mailbox.finished() == call) }
        #expect(mailbox.remove { $0 == 0 || $0 == 50 || $0 == 301 } == nil, "those that have started, or never came")
        for call in stride(from: 102, through: 300, by: 2) { #expect(mailbox.remove { $0 == call } == call) }
        #expect(mailbox.count == 100)
        for call in stride(from: 101, through: 299, by: 2) { #expect(mailbox.finished() == call) }
        #expect(mailbox.finished() == nil)
    }

    @Test func aCallThatIsPutBackStartsBeforeThoseThatWait() {
        var mailbox = Mailbox<Int>()
        #expect(mailbox.arrived(1) == 1)
        for call in 2...200 { #expect(mailbox.arrived(call) == nil) }
        mailbox.putBack(1)
        #expect(mailbox.count == 200)
        #expect(mailbox.isBusy, "nothing starts until it is told")
        for call in 1...199 {
            #expect(mailbox.finished() == call)
            mailbox.putBack(call)
            #expect(mailbox.finished() == call)
        }
        #expect(mailbox.finished() == 200)
        #expect(mailbox.finished() == nil)
    }

    @Test(arguments: Seeds.first(20)) func noCallIsLostDoubledOrOvertaken(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var mailbox = Mailbox<Int>()
        var (arrived, started, running) = (0, 0, false)
        for _ in 0..<3000 {
            var next: Int?
            if Bool.random(using: &random) {
                next = mailbox.arrived(arrived)
                arrived += 1
            } else if running {
                running = false
                if random.oneIn(4) {
                    started -= 1
                    mailbox.putBack(started)
                }
                next = mailbox.finished()
            }
            guard let next else { continue }
            #expect(!running && next == started)
            (started, running) = (started + 1, true)
            #expect(mailbox.count == arrived - started)
        }
        while running, let next = mailbox.finished() {
            #expect(next == started)
            started += 1
        }
        #expect(started == arrived)
    }
}

struct SubmissionOrderTests {
    @Test func callsThatAreReadyInOrderLeaveAtOnce() {
        var order = SubmissionOrder<String>()
        let tickets = (0..<3).map { _ in order.draw() }
        #expect(order.fill(tickets[0], with: "a") == ["a"])
        #expect(order.fill(tickets[1], with: "b") == ["b"])
        #expect(order.release(tickets[2]).isEmpty)
    }

    @Test func callsWaitForThoseBeforeThemAndLeaveTogether() {
        var order = SubmissionOrder<String>()
        let tickets = (0..<5).map { _ in order.draw() }
        #expect(order.fill(tickets[3], with: "d").isEmpty)
        #expect(order.fill(tickets[1], with: "b").isEmpty)
        #expect(order.release(tickets[2]).isEmpty)
        #expect(order.fill(tickets[0], with: "a") == ["a", "b", "d"])
        #expect(order.fill(tickets[4], with: "e") == ["e"])
    }

    @Test func releasesThatComeTwiceOrTooLateOrTooEarlyChangeNothing() {
        var order = SubmissionOrder<String>()
        #expect(order.release(0).isEmpty, "not drawn yet")
        let tickets = (0..<3).map { _ in order.draw() }
        #expect(order.fill(tickets[1], with: "b").isEmpty)
        #expect(order.release(tickets[1]).isEmpty, "its call is there already")
        #expect(order.release(tickets[0]) == ["b"])
        #expect(order.release(tickets[0]).isEmpty)
        #expect(!order.isOpen(tickets[0]) && !order.isOpen(tickets[1]) && order.isOpen(tickets[2]))
        #expect(order.fill(tickets[2], with: "c") == ["c"])
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
                sent += order.fill(ticket, with: ticket)
            }
            #expect(!order.isOpen(ticket))
            let settled = open.min().map { first in filled.filter { $0 < first } } ?? filled
            #expect(sent.count == settled.count, "a call waits although nothing before it is open")
        }
        #expect(open.isEmpty)
        #expect(sent == filled.sorted())
    }
}
