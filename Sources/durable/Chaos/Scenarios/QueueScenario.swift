internal import DurableActors
internal import DurableChaos
internal import Glibc
internal import Synchronization

/// A queue whose items are taken, and gone when they are done.
distributed actor ChaosQueue: DurableActor {
    typealias ActorSystem = ActorRuntime

    /// An item with its place.
    struct Ticket: Codable, Sendable {
        var place: Int
        var item: PackedItem
    }

    @Checkpointed var head = 0
    @Checkpointed var tail = 0
    @Checkpointed var waiting = CheckpointedDictionary<Int, PackedItem>()
    @Checkpointed var taken = CheckpointedDictionary<Int, PackedItem>()

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
    }

    /// Adds an item. Returns its place.
    distributed func put(_ item: PackedItem) -> Int {
        waiting[tail] = item
        tail += 1
        return tail - 1
    }

    /// Hands the oldest item out.
    distributed func take() -> Ticket? {
        guard head < tail, let item = waiting.removeValue(forKey: head) else { return nil }
        taken[head] = item
        head += 1
        return Ticket(place: head - 1, item: item)
    }

    /// An item is done. Returns whether it was handed out, and not done before.
    distributed func finish(_ place: Int) -> Bool { taken.removeValue(forKey: place) != nil }

    /// Some of what is there, handed out or not, from a place on.
    distributed func page(_ first: Int, _ count: Int) -> [Ticket] {
        let out = taken.elements(from: first).prefix(count).map { Ticket(place: $0.key, item: $0.value) }
        let inside = waiting.elements(from: first).prefix(count).map { Ticket(place: $0.key, item: $0.value) }
        return Array((out + inside).sorted { $0.place < $1.place }.prefix(count))
    }

    /// The process in which it lives.
    distributed func process() -> Int32 { getpid() }
}

/// Clients put items into queues, and take and finish those of all.
final class QueueScenario: ChaosScenario {
    /// What came out of the queues.
    private struct Output: Sendable {
        /// By producer and queue: the numbers that were finished.
        var finished: [ChaosJournal.Key: [Int]] = [:]
        /// Those of which it is not known.
        var maybe: [ChaosJournal.Key: Set<Int>] = [:]
        var order: [ChaosComparison.Difference] = []
        var twice: [ChaosComparison.Difference] = []
        var finishedCount = 0
        /// Items that were handed out without an answer.
        var takesUnknown = 0
    }

    private static let pageCount = 2000
    private let scale: ChaosScale
    private let journal = ChaosJournal()
    private let output = Mutex(Output())
    private let queues = Once<[ChaosQueue]>()

    init(_ scale: ChaosScale) { self.scale = scale }

    func prepare(_ runtime: ActorRuntime) async throws -> ChaosProbes {
        let names = (1...scale.actors).map { "queue-\($0)" }
        var made: [ChaosQueue] = []
        for name in names { made.append(try await runtime.spawn(ChaosQueue.self, options: scale.options(name))) }
        for queue in made { _ = try await queue.process() }
        queues.set(made)
        return ChaosProbes(
            uniqueKeysWithValues: zip(names, made.map { queue in { @Sendable in try await queue.process() } })
        )
    }

    func work(_ client: Int, _ traffic: ChaosTraffic, _ generator: SeededGenerator) async {
        var generator = generator
        let queues = queues.value
        /// The last place that this consumer got of each queue, and the last place that it put something at.
        var got: [Int: Int] = [:]
        var placed: [Int: Int] = [:]
        while !traffic.isOver {
            let place = Int.random(in: queues.indices, using: &generator)
            let key = ChaosJournal.Key(client: client, place: place)
            let number = journal.begin(key)
            let put = await traffic.call { try await queues[place].put(PackedItem(client: client, number: number)) }
            journal.end(key, number, put, at: traffic.book.elapsed)
            if case .acknowledged(let position) = put {
                inOrder(position, &placed[place], "item \(number) of \(key) was put", place, traffic)
            }
            let other = Int.random(in: queues.indices, using: &generator)
            await consume(queues[other], other, traffic, &got[other])
        }
    }

    private func consume(_ queue: ChaosQueue, _ place: Int, _ traffic: ChaosTraffic, _ last: inout Int?) async {
        switch await traffic.call({ try await queue.take() }) {
        case .failed, .acknowledged(nil): return
        case .unknown: output.withLock { $0.takesUnknown += 1 }
        case .acknowledged(let ticket?):
            let key = ChaosJournal.Key(client: ticket.item.client, place: place)
            inOrder(ticket.place, &last, "item \(ticket.item.number) of \(key) came", place, traffic)
            let outcome = await traffic.call { try await queue.finish(ticket.place) }
            output.withLock { output in
                switch outcome {
                case .acknowledged(true):
                    output.finishedCount += 1
                    output.finished[key, default: []].append(ticket.item.number)
                case .acknowledged(false):
                    let text = "item \(ticket.item.number) of \(key) in queue-\(place + 1) was done before"
                    output.twice.append(.init(text, traffic.book.elapsed))
                    output.finished[key, default: []].append(ticket.item.number)
                case .failed: break
                case .unknown: output.maybe[key, default: []].insert(ticket.item.number)
                }
            }
        }
    }

    private func inOrder(_ position: Int, _ last: inout Int?, _ what: String, _ place: Int, _ traffic: ChaosTraffic) {
        if let before = last, before >= position {
            let text = "\(what) at place \(position) of queue-\(place + 1), behind one at \(before)"
            output.withLock { $0.order.append(.init(text, traffic.book.elapsed)) }
        }
        last = position
    }

    func check() async throws -> ChaosFindings {
        var left: [ChaosJournal.Key: [Int]] = [:]
        var count = 0
        for (place, queue) in queues.value.enumerated() {
            var first = 0
            while true {
                let page = try await queue.page(first, Self.pageCount)
                for ticket in page {
                    left[.init(client: ticket.item.client, place: place), default: []].append(ticket.item.number)
                }
                count += page.count
                guard page.count == Self.pageCount, let last = page.last else { break }
                first = last.place + 1
            }
        }
        let output = output.withLock { $0 }
        var result = ChaosComparison()
        for key in Set(journal.keys).union(left.keys).union(output.finished.keys).sorted() {
            // Several consumers finish in whatever order; of what is left, the order counts.
            let rest = left[key] ?? []
            if rest != rest.sorted() { result.order.append(.init("what is left of \(key) is out of order", nil)) }
            let found = ((output.finished[key] ?? []) + rest).sorted()
            let place = "in queue-\(key.place + 1)"
            journal.compare(key, found, excused: output.maybe[key] ?? [], whole: "item", in: place, &result)
        }
        let (put, done) = ("\(result.done.grouped) acknowledged items", "\(output.finishedCount.grouped) items done")
        let doubled = result.doubled + output.twice
        return ChaosFindings(
            checks: [
                ChaosCheck("no acknowledged item is lost", put, result.lost),
                ChaosCheck("no item is done twice, or done and still there", "\(done), \(count.grouped) left", doubled),
                ChaosCheck("each producer's items come in their order", done, output.order + result.order),
                ChaosCheck("nothing comes that nobody put", done, result.foreign),
            ],
            lost: result.lost.count,
            doubled: doubled.count
        )
    }
}
