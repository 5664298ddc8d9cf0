import DurableActors
import DurableCore
import Glibc
import Testing

/// Blocks and computes, beside the worker's loop.
distributed actor Blocker: DurableActor {
    @Checkpointed var value = 0

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    /// Blocks a thread until the file is there, for two minutes at most.
    distributed func block(until file: String, begun: String, _ amount: Int) async throws -> Int {
        value += amount
        try await offload {
            _ = Attempts.note(in: begun)
            let deadline = ContinuousClock.now + .seconds(120)
            while access(file, F_OK) != 0 {
                guard ContinuousClock.now < deadline else { throw Refusal(reason: "nobody came") }
                usleep(1000)
            }
        }
        return value
    }

    distributed func add(_ amount: Int) -> Int {
        value += amount
        return value
    }

    distributed func refuse(_ reason: String) async throws {
        try await offload { throw Refusal(reason: reason) }
    }

    distributed func crash() async throws { try await offload { () -> Void in fatalError("in a section") } }

    /// Offloads one after the other; says which threads ran it.
    distributed func threads(_ count: Int) async throws -> Set<UInt> {
        var threads: Set<UInt> = []
        for _ in 0..<count { threads.insert(try await offload { UInt(pthread_self()) }) }
        return threads
    }

    /// Offloads all at once; the sections wait for the file.
    distributed func crowd(_ count: Int, until file: String, begun: String) async throws -> [Int] {
        let sections = (0..<count).map { number in
            // Awaited below.
            Task {
                try await self.offload {
                    _ = Attempts.note(in: begun)
                    let deadline = ContinuousClock.now + .seconds(120)
                    while access(file, F_OK) != 0, ContinuousClock.now < deadline { usleep(1000) }
                    return number
                }
            }
        }
        var outcomes: [Int] = []
        for section in sections {
            do {
                outcomes.append(try await section.value)
            } catch let error as ActorError where error.code == .limitExceeded {
                outcomes.append(-1)
            }
        }
        return outcomes
    }

    distributed func loopThread() -> UInt { UInt(pthread_self()) }
}

/// Sections beside the loop. Checked: others are served meanwhile, order and errors are as without, threads are bounded.
@Suite(.serialized) struct OffloadTests {
    @Test func `while one actor of a group blocks in a section, another is served, and it itself is not`()
        async throws
    {
        let scratch = ScratchDirectory()
        let (file, begun) = (scratch.file("file"), scratch.file("begun"))
        try await ActorRuntime.withRuntime { runtime in
            let blocker = try await runtime.spawn(Blocker.self, options: .resilient.shared("group"))
            let other = try await runtime.spawn(Blocker.self, options: .resilient.shared("group"))
            let blocked = blocker.submit { try await $0.block(until: file, begun: begun, 10) }
            let behind = blocker.submit { try await $0.add(1) }
            try await eventually("the section runs") {
                Attempts.count(in: begun)
            } is: {
                $0 == 1
            }
            for number in 1...100 { #expect(try await other.add(1) == number) }
            #expect(access(file, F_OK) != 0)
            close(open(file, O_CREAT | O_WRONLY, 0o600))
            #expect(try await blocked.value == 10)
            #expect(try await behind.value == 11)
        }
    }

    @Test func `an error of a section is the call's, with its type`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let blocker = try await runtime.spawn(Blocker.self)
            await #expect(throws: Refusal(reason: "schön")) { try await blocker.refuse("schön") }
            #expect(try await blocker.add(1) == 1)
        }
    }

    @Test func `sections one after the other use one thread, which is not the loop's`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let blocker = try await runtime.spawn(Blocker.self)
            let threads = try await blocker.threads(200)
            #expect(threads.count == 1)
            #expect(!threads.contains(try await blocker.loopThread()))
        }
    }

    @Test func `many sections at once share a bounded number of threads, and what is too much is refused`()
        async throws
    {
        let scratch = ScratchDirectory()
        let (file, begun) = (scratch.file("file"), scratch.file("begun"))
        let (most, waiting) = (Limits.offloadThreads, Limits.offloadsWaitingMax)
        try await ActorRuntime.withRuntime { runtime in
            let blocker = try await runtime.spawn(Blocker.self)
            let process = try await runtime.process(of: blocker)
            _ = try await blocker.add(1)
            let before = Processes.threads(of: process)
            let crowd = blocker.submit { try await $0.crowd(waiting + 100, until: file, begun: begun) }
            try await eventually("all threads are busy") {
                Attempts.count(in: begun)
            } is: {
                $0 == most
            }
            // Another thread or two may be Swift's own.
            #expect(Processes.threads(of: process) - before <= most + 4)
            close(open(file, O_CREAT | O_WRONLY, 0o600))
            let outcomes = try await crowd.value
            #expect(outcomes.enumerated().allSatisfy { $1 == $0 || $1 == -1 })
            #expect(Attempts.count(in: begun) == outcomes.count { $0 >= 0 })
            #expect(outcomes.count { $0 >= 0 } >= waiting)
        }
    }

    @Test func `a section that crashes counts as a crash of its call`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let blocker = try await runtime.spawn(Blocker.self, options: .resilient)
            #expect(try await blocker.add(1) == 1)
            #expect(await failure { try await blocker.crash() }?.code == .poisonCall)
            #expect(try await blocker.add(1) == 2)
        }
    }
}
