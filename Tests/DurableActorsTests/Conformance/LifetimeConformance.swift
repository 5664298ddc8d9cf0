import DurableActors
import Glibc
import Synchronization
import Testing

/// Ray's cases of actors that end with their last handle.
@Suite(.serialized, .timeLimit(.minutes(3))) struct LifetimeConformance {
    private static var options: ActorOptions {
        var options = ActorOptions(maxRestarts: 3, maxTaskRetries: 3)
        options.endsWithLastHandle = true
        return options
    }

    private static func configuration(seats: Double = 1) -> RuntimeConfiguration {
        var configuration = RuntimeConfiguration()
        configuration.resources = Resources(custom: ["seat": seats])
        // Long enough for a busy machine to fetch what it was sent.
        configuration.objectLease = .seconds(1)
        return configuration
    }

    /// Waits until an actor has ended whose handle was sent away and let go: what was let go before in the same way,
    /// and counts no more, has ended as well.
    private func aged(_ runtime: ActorRuntime) async throws {
        let bystander = try await runtime.spawn(Holder.self, Holder.Setup())
        func one() async throws -> Int32 {
            let counter = try await runtime.spawn(Counter.self, options: Self.options)
            try await bystander.hold(["": [counter]])
            try await bystander.drop()
            return try await counter.processID()
        }
        try await ended(try await one())
        try await runtime.kill(bystander)
    }

    private func ended(_ pid: Int32) async throws {
        try await eventually("the actor has ended") {
            Processes.isAlive(pid)
        } is: {
            !$0
        }
    }

    @Test func `LIF-01: actors whose last handles are dropped end, and what they reserved is free, also ten at once`()
        async throws
    {
        try await ActorRuntime.withRuntime(configuration: Self.configuration(seats: 10)) { runtime in
            func use() async throws -> [Int32] {
                let options = Self.options.resources(cpu: 0, custom: ["seat": 1])
                var counters: [Counter] = []
                var processes: [Int32] = []
                for _ in 0..<10 { counters.append(try await runtime.spawn(Counter.self, options: options)) }
                for counter in counters { processes.append(try await counter.processID()) }
                try await aged(runtime)
                for process in processes { #expect(Processes.isAlive(process)) }
                for counter in counters { #expect(try await counter.add(1) == 1) }
                return processes
            }
            for _ in 1...2 {
                for process in try await use() { try await ended(process) }
                try await eventually("all have ended") {
                    try await runtime.actors().count
                } is: {
                    $0 == 0
                }
            }
        }
    }

    @Test(arguments: [false, true])
    func `LIF-02: calls that were submitted before the last handle is dropped end first, and give their results`(
        isShared: Bool
    ) async throws {
        let scratch = ScratchDirectory()
        let setup = Worker.Setup(log: scratch.file("log"))
        let hold = scratch.hold()
        let options = isShared ? Self.options.shared("group") : Self.options
        try await ActorRuntime.withRuntime(configuration: Self.configuration()) { runtime in
            func submit() async throws -> [ObjectRef<Int>] {
                let worker = try await runtime.spawn(Worker.self, setup, options: options)
                return (1...5).map { number in worker.submit { try await $0.work(number, hold: hold) } }
            }
            let refs = try await submit()
            try await aged(runtime)
            #expect(!Notes.lines(of: setup.log).contains { $0.hasPrefix("hook") })
            unlink(hold)
            for (index, ref) in refs.enumerated() { #expect(try await ref.value == index + 1) }
            try await eventually("it has ended") {
                try await runtime.actors().count
            } is: {
                $0 == 0
            }
            #expect(Notes.lines(of: setup.log) == ["init"] + (1...5).map { "work \($0)" } + ["hook 5"])
            #expect(try await runtime.get(refs) == [1, 2, 3, 4, 5])
        }
    }

    @Test func `LIF-04: the end with the last handle is no crash: no next life, and what was reserved is free`()
        async throws
    {
        let scratch = ScratchDirectory()
        let setup = Worker.Setup(log: scratch.file("log"))
        try await ActorRuntime.withRuntime(configuration: Self.configuration()) { runtime in
            let options = Self.options.resources(cpu: 0, custom: ["seat": 1])
            func work() async throws -> Int {
                try await runtime.spawn(Worker.self, setup, options: options).work(1, hold: "")
            }
            // The second has its seat from the first.
            for _ in 1...2 { #expect(try await work() == 1) }
            try await eventually("both have ended") {
                try await runtime.actors().count
            } is: {
                $0 == 0
            }
            let life = ["init", "work 1", "hook 1"]
            #expect(Notes.lines(of: setup.log) == life + life)
        }
    }

    @Test func `LIF-08: an actor whose handle is dropped before it is placed never runs`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime(configuration: Self.configuration()) { runtime in
            let seated = Self.options.resources(cpu: 0, custom: ["seat": 1])
            let first = try await runtime.spawn(Counter.self, options: seated)
            #expect(try await first.add(1) == 1)
            let dropped = Worker.Setup(log: scratch.file("dropped"))
            _ = try await runtime.spawn(Worker.self, dropped, options: seated)
            try await eventually("it has ended") {
                try await runtime.actors().map(\.id)
            } is: {
                $0 == [first.id]
            }
            try await runtime.kill(first)
            let next = Worker.Setup(log: scratch.file("next"))
            let last = try await runtime.spawn(Worker.self, next, options: seated)
            #expect(try await last.work(1, hold: "") == 1)
            #expect(Notes.lines(of: dropped.log).isEmpty)
        }
    }

    @Test func `LIF-10: a handle in another actor's memory counts until that drops it`() async throws {
        try await ActorRuntime.withRuntime(configuration: Self.configuration()) { runtime in
            let holders = [try await runtime.spawn(Holder.self, Holder.Setup()), try await holder(runtime)]
            func give() async throws -> Int32 {
                let counter = try await runtime.spawn(Counter.self, options: Self.options)
                for holder in holders { try await holder.hold(["one": [], "two": [counter]]) }
                return try await counter.processID()
            }
            let process = try await give()
            for (index, holder) in holders.enumerated() {
                try await aged(runtime)
                #expect(try await holder.add(1) == index + 1)
                #expect(Processes.isAlive(process))
                try await holder.drop()
            }
            try await ended(process)
        }
    }

    private func holder(_ runtime: ActorRuntime) async throws -> Holder {
        try await runtime.spawn(Holder.self, Holder.Setup(), options: .resilient.shared("holders"))
    }

    @Test func `LIF-10, LIF-12: a handle counts until the actor ends that has it, which cannot say so`() async throws {
        try await ActorRuntime.withRuntime(configuration: Self.configuration()) { runtime in
            let holder = try await runtime.spawn(Holder.self, Holder.Setup())
            func give() async throws -> Int32 {
                let counter = try await runtime.spawn(Counter.self, options: Self.options)
                try await holder.hold(["": [counter]])
                return try await counter.processID()
            }
            let process = try await give()
            try await aged(runtime)
            #expect(try await holder.add(1) == 1)
            kill(try await holder.processID(), SIGKILL)
            try await ended(process)
        }
    }

    @Test func `LIF-10: a handle in another actor's state counts over that actor's restarts`() async throws {
        try await ActorRuntime.withRuntime(configuration: Self.configuration()) { runtime in
            let holder = try await runtime.spawn(Holder.self, Holder.Setup(), options: .resilient)
            func give() async throws -> Int32 {
                let counter = try await runtime.spawn(Counter.self, options: Self.options)
                try await holder.store(counter)
                return try await counter.processID()
            }
            let process = try await give()
            for life in 1...3 {
                #expect(try await holder.add(1) == life)
                kill(try await holder.processID(), SIGKILL)
                try await aged(runtime)
                #expect(Processes.isAlive(process))
            }
            #expect(try await holder.add(1) == 4)
        }
    }

    @Test func `LIF-10: handles count in arguments of constructors, in results and in tasks`() async throws {
        try await ActorRuntime.withRuntime(configuration: Self.configuration()) { runtime in
            func give() async throws -> (Holder, Int32) {
                let counter = try await runtime.spawn(Counter.self, options: Self.options)
                let holder = try await runtime.spawn(Holder.self, Holder.Setup(given: counter), options: .resilient)
                return (holder, try await counter.processID())
            }
            let (holder, process) = try await give()
            #expect(try await holder.add(1) == 1)
            kill(try await holder.processID(), SIGKILL)
            try await aged(runtime)
            #expect(try await holder.add(1) == 2)
            try await runtime.kill(holder)
            try await ended(process)

            let maker = try await runtime.spawn(Holder.self, Holder.Setup())
            var made: Counter? = try await maker.make(Self.options)
            let child = try await made?.processID() ?? 0
            if let counter = made.take() { try await maker.hold(["": [counter]]) }
            let taken = try await maker.take()
            let same = try await runtime.run(AddTask(counters: taken))
            #expect(same == taken)
            try await aged(runtime)
            #expect(try await same[0].add(1) == 2)
            #expect(Processes.isAlive(child))
        }
    }

    @Test func `LIF-12: an actor ends although the first report of its last handle's end is lost`() async throws {
        var configuration = RuntimeConfiguration()
        configuration.faults = [FaultSpecification(.supervisorBeforeExit, action: .skip)]
        let reports = Mutex<[String]>([])
        configuration.log = { line in reports.withLock { $0.append(line) } }
        try await ActorRuntime.withRuntime(configuration: configuration) { runtime in
            func use() async throws -> Int32 {
                try await runtime.spawn(Counter.self, options: Self.options).processID()
            }
            try await ended(try await use())
            try await eventually("it has ended") {
                try await runtime.actors().count
            } is: {
                $0 == 0
            }
        }
        #expect(reports.withLock(\.self).contains { $0.contains("has not ended") })
    }

    @Test func `LIF-12: an actor whose last handle is dropped while there is no supervisor ends when there is one`()
        async throws
    {
        try await ActorRuntime.withRuntime { runtime in
            func use() async throws -> Int32 {
                let counter = try await runtime.spawn(Counter.self, options: Self.options)
                let process = try await counter.processID()
                kill(try #require(runtime.supervisorProcessID), SIGKILL)
                return process
            }
            try await ended(try await use())
            try await eventually("it has ended") {
                try await runtime.actors().count
            } is: {
                $0 == 0
            }
        }
    }
}
