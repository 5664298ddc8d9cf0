internal import DurableActors
internal import DurableChaos
internal import Glibc
internal import Synchronization

/// Counts in slots, each by itself.
distributed actor ChaosCounter: DurableActor {
    typealias ActorSystem = ActorRuntime

    @Checkpointed var slots = CheckpointedDictionary<Int, Int>()
    private var forgotten: [Int: Int] = [:]
    private let isForgetful: Bool

    /// - Parameter isForgetful: Whether it keeps its slots in memory only, as no actor should.
    init(_ isForgetful: Bool, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
        self.isForgetful = isForgetful
    }

    /// Adds to a slot. Returns its value.
    distributed func add(_ slot: Int, _ amount: Int) -> Int {
        guard !isForgetful else {
            forgotten[slot, default: 0] += amount
            return forgotten[slot] ?? 0
        }
        let value = (slots[slot] ?? 0) + amount
        slots[slot] = value
        return value
    }

    /// The value of a slot.
    distributed func read(_ slot: Int) -> Int { (isForgetful ? forgotten[slot] : slots[slot]) ?? 0 }

    /// The values of some slots.
    distributed func page(_ first: Int, _ count: Int) -> [Int] {
        (first..<first + count).map { (isForgetful ? forgotten[$0] : slots[$0]) ?? 0 }
    }

    /// The process in which it lives.
    distributed func process() -> Int32 { getpid() }
}

/// Clients add to counters and read them, slot after slot, so that each slot has a history that can be searched.
final class CounterScenario: ChaosScenario {
    /// What is known of one slot.
    private struct Slot: Sendable {
        var recorder: HistoryRecorder<CounterModel>? = HistoryRecorder(hasCertainlyFailed: ChaosTraffic.isCertain)
        var calls = 0
        var open = 0
        /// What the acknowledged additions add up to, and those of unknown outcome.
        var sum = 0
        var doubtful = 0
        var last: Duration = .zero
    }

    private struct State: Sendable {
        /// The slots of each counter; calls go to the last.
        var slots: [[Slot]]
        var searched = 0
        var searchedCalls = 0
        var witnessed = 0
        var violations: [ChaosComparison.Difference] = []
        var undecided: String?
        var generator: SeededGenerator
    }

    private static let callsPerSlot = 80
    /// One in so many histories is searched; the effort grows with what overlaps.
    private static let searchEvery = 8
    private static let searchStepsMax = 200_000
    private static let pageCount = 2000
    private let scale: ChaosScale
    private let isForgetful: Bool
    private let state: Mutex<State>
    private let counters = Once<[ChaosCounter]>()

    init(_ scale: ChaosScale, seed: UInt64, isForgetful: Bool = false) {
        self.scale = scale
        self.isForgetful = isForgetful
        // Each slot has a recorder of its own.
        let slots = (0..<scale.actors).map { _ in [Slot()] }
        state = Mutex(State(slots: slots, generator: SeededGenerator(seed: seed)))
    }

    func prepare(_ runtime: ActorRuntime) async throws -> ChaosProbes {
        let names = (1...scale.actors).map { "counter-\($0)" }
        var made: [ChaosCounter] = []
        for name in names {
            made.append(try await runtime.spawn(ChaosCounter.self, isForgetful, options: scale.options(name)))
        }
        for counter in made { _ = try await counter.process() }
        counters.set(made)
        return ChaosProbes(
            uniqueKeysWithValues: zip(names, made.map { counter in { @Sendable in try await counter.process() } })
        )
    }

    func work(_ client: Int, _ traffic: ChaosTraffic, _ generator: SeededGenerator) async {
        var generator = generator
        let counters = counters.value
        while !traffic.isOver {
            let place = Int.random(in: counters.indices, using: &generator)
            let amount = Int.random(in: 0...9, using: &generator)
            let (slot, recorder) = open(place)
            // A zero is a look.
            let operation: CounterModel.Operation = amount == 0 ? .read : .add(amount)
            let outcome = await traffic.call {
                try await recorder.record(operation) {
                    try await amount == 0 ? counters[place].read(slot) : counters[place].add(slot, amount)
                }
            }
            close(place, slot, amount, outcome, at: traffic.book.elapsed)
        }
    }

    private func open(_ place: Int) -> (slot: Int, recorder: HistoryRecorder<CounterModel>) {
        state.withLock { state in
            var number = state.slots[place].count - 1
            if state.slots[place][number].calls == Self.callsPerSlot {
                state.slots[place].append(Slot())
                number += 1
            }
            state.slots[place][number].calls += 1
            state.slots[place][number].open += 1
            let recorder = state.slots[place][number].recorder ?? HistoryRecorder()
            return (number, recorder)
        }
    }

    private func close(
        _ place: Int,
        _ number: Int,
        _ amount: Int,
        _ outcome: ChaosTraffic.Outcome<Int>,
        at time: Duration
    ) {
        let recorder: HistoryRecorder<CounterModel>? = state.withLock { state in
            state.slots[place][number].open -= 1
            state.slots[place][number].last = time
            switch outcome {
            case .acknowledged: state.slots[place][number].sum += amount
            case .unknown: state.slots[place][number].doubtful += amount
            case .failed: break
            }
            guard state.slots[place][number].open == 0, state.slots[place][number].calls == Self.callsPerSlot else {
                return nil
            }
            // Nobody calls it any more: its history is checked and forgotten.
            return state.slots[place][number].recorder.take()
        }
        if let recorder { check(recorder.history, "slot \(number) of counter-\(place + 1)", at: time) }
    }

    private func check(_ history: CallHistory<CounterModel>, _ title: String, at time: Duration) {
        let isSearched = state.withLock { state in
            state.witnessed += 1
            return Int.random(in: 0..<Self.searchEvery, using: &state.generator) == 0
        }
        if let fault = history.witness() {
            state.withLock { $0.violations.append(.init("\(title): \(fault)", time)) }
        }
        guard isSearched else { return }
        let verdict = history.linearizability(from: CounterModel(), stepsMax: Self.searchStepsMax)
        state.withLock { state in
            state.searched += 1
            state.searchedCalls += history.calls.count
            switch verdict {
            case .linearizable: break
            case .undecided: state.undecided = "\(title): \(verdict)"
            case .violation: state.violations.append(.init("\(title): \(verdict)", time))
            }
        }
    }

    func check() async throws -> ChaosFindings {
        // What is left open is checked as it is.
        let rest = state.withLock { state in
            state.slots.enumerated().flatMap { place, slots in
                slots.enumerated().compactMap { number, slot in
                    slot.recorder.map { ($0, "slot \(number) of counter-\(place + 1)", slot.last) }
                }
            }
        }
        for (recorder, title, time) in rest { check(recorder.history, title, at: time) }
        let state = state.withLock { $0 }
        var (wrong, lost, doubled, sum) = ([ChaosComparison.Difference](), 0, 0, 0)
        for (place, counter) in counters.value.enumerated() {
            let slots = state.slots[place]
            for first in stride(from: 0, to: slots.count, by: Self.pageCount) {
                let count = min(Self.pageCount, slots.count - first)
                for (offset, value) in try await counter.page(first, count).enumerated() {
                    let slot = slots[first + offset]
                    sum += value
                    guard value < slot.sum || value > slot.sum + slot.doubtful else { continue }
                    if value < slot.sum { lost += 1 } else { doubled += 1 }
                    let text =
                        "slot \(first + offset) of counter-\(place + 1) is \(value), \(slot.sum) were acknowledged"
                    wrong.append(.init(text, slot.last))
                }
            }
        }
        let searched =
            "\(state.searched.grouped) of \(state.witnessed.grouped) histories, \(state.searchedCalls.grouped) calls"
        let isSearchBroken = state.violations.contains { $0.text.contains("not linearizable") }
        let search: ChaosCheck.Verdict =
            if isSearchBroken {
                .broken(state.violations.filter { $0.text.contains("not linearizable") })
            } else {
                state.undecided.map { .undecided($0) } ?? .held
            }
        return ChaosFindings(
            checks: [
                ChaosCheck("the values are the sums of what was acknowledged", "\(sum.grouped) in all", wrong),
                ChaosCheck(
                    "each answer is the sum so far, in the order of time",
                    "all \(state.witnessed.grouped) histories",
                    state.violations.filter { !$0.text.contains("not linearizable") }
                ),
                ChaosCheck("linearizable, by search", searched, search),
            ],
            lost: lost,
            doubled: doubled
        )
    }
}
