import DurableChaos
import DurableCore
import Testing

struct MailboxTests {
    @Test func `one call runs at a time and the rest start in order`() {
        var mailbox = Mailbox<Int>()
        #expect(mailbox.arrived(0) == 0)
        for call in 1...500 { #expect(mailbox.arrived(call) == nil) }
        #expect(mailbox.count == 500)
        for call in 1...500 { #expect(mailbox.finished() == call) }
        #expect(mailbox.runningCount == 1)
        #expect(mailbox.finished() == nil)
        #expect(mailbox.runningCount == 0)
        #expect(mailbox.arrived(501) == 501)
    }

    @Test func `a paused mailbox starts nothing until it is told`() {
        var mailbox = Mailbox<Int>(limits: [2])
        #expect(mailbox.arrived(0) == 0)
        mailbox.pause()
        #expect(mailbox.runningCount == 0)
        for call in 1...3 { #expect(mailbox.arrived(call) == nil) }
        #expect(mailbox.resume() == [1, 2])
        #expect(mailbox.finished() == 3)
        #expect(mailbox.finished() == nil)
    }

    @Test func `calls that are put back start before those that wait, in their order`() {
        var mailbox = Mailbox<Int>(limits: [3, 1])
        for call in 1...3 { #expect(mailbox.arrived(call) == call) }
        for call in 4...200 { #expect(mailbox.arrived(call) == nil) }
        #expect(mailbox.arrived(1000, in: 1) == 1000)
        mailbox.pause()
        mailbox.putBack(2)
        // A second pause before everything was put back changes nothing.
        mailbox.pause()
        mailbox.putBack(3)
        mailbox.putBack(1000, in: 1)
        #expect(mailbox.resume() == [2, 3, 4, 1000])
        for call in 5...200 { #expect(mailbox.finished() == call) }
        #expect(mailbox.finished(in: 1) == nil)
    }

    @Test func `a full lane holds up no other`() {
        var mailbox = Mailbox<String>(limits: [1, 2])
        #expect(mailbox.arrived("a", in: 1) == "a")
        #expect(mailbox.arrived("b", in: 1) == "b")
        #expect(mailbox.arrived("c", in: 1) == nil)
        #expect(mailbox.arrived("d") == "d")
        #expect(mailbox.arrived("e") == nil)
        #expect(mailbox.finished() == "e")
        #expect(mailbox.finished(in: 1) == "c")
    }

    /// What a mailbox should do, in the plainest way: lists that are searched from the front.
    private struct Model {
        var limits: [Int]
        var waiting: [(call: Int, lane: Int)] = []
        var running: [(call: Int, lane: Int)] = []
        var isPaused = false

        mutating func start() -> [Int] {
            var started: [Int] = []
            for lane in limits.indices {
                while !isPaused, running.count(where: { $0.lane == lane }) < limits[lane],
                    let index = waiting.firstIndex(where: { $0.lane == lane })
                {
                    running.append(waiting.remove(at: index))
                    started.append(running[running.count - 1].call)
                }
            }
            return started
        }
    }

    @Test(arguments: Seeds.first(50))
    func `calls arrive, end, and are put back as in a model, over lanes and pauses`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let limits = (0..<Int.random(in: 1...4, using: &random)).map { _ in Int.random(in: 1...5, using: &random) }
        var mailbox = Mailbox<Int>(limits: limits)
        var model = Model(limits: limits)
        for call in 0..<4000 {
            var started: [Int] = []
            switch Int.random(in: 0..<20, using: &random) {
            case 0 where !model.isPaused:
                // Some of what runs was lost, some had not begun and is put back.
                mailbox.pause()
                model.isPaused = true
                let returning = model.running.filter { _ in Bool.random(using: &random) }
                for (call, lane) in returning { mailbox.putBack(call, in: lane) }
                model.waiting = returning + model.waiting
                model.running = []
            case 0..<4 where model.isPaused:
                started = mailbox.resume()
                model.isPaused = false
            case 4..<12 where !model.running.isEmpty:
                let (_, lane) = model.running.remove(at: Int.random(in: 0..<model.running.count, using: &random))
                started = [mailbox.finished(in: lane)].compactMap(\.self)
            default:
                let lane = Int.random(in: 0..<limits.count, using: &random)
                model.waiting.append((call, lane))
                started = [mailbox.arrived(call, in: lane)].compactMap(\.self)
            }
            #expect(started == model.start(), "seed \(seed), step \(call)")
            #expect(mailbox.count == model.waiting.count && mailbox.runningCount == model.running.count)
        }
    }
}
