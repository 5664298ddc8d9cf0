import DurableActors
import DurableCore
import Glibc

/// A worker that stands still while another one gets its actor.
extension ZombieRound {
    private static let steps: [FaultPoint] = [
        .workerBeforeMethod, .workerAfterMethod, .workerBeforeCommit, .workerInsideCommit, .workerAfterCommit,
        .workerBeforeReply, .workerAfterReplies,
    ]

    private var passbookOptions: ActorOptions {
        ActorOptions(maxRestarts: .unlimited, maxTaskRetries: .unlimited, durability: durability)
    }

    /// The supervisor is made to leave out the kill: what it replaces is alive, and does not know it.
    func replaceAlive(in directory: TrialDirectory) async throws {
        var configuration = RuntimeConfiguration()
        configuration.faults = [FaultSpecification(.supervisorKillBeforeReplace, action: .skip)]
        if kind == .aimed {
            let step = Self.steps[choose(0...Self.steps.count - 1)]
            configuration.faults.append(
                FaultSpecification(step, occurrence: choose(20...80), incarnation: 1, action: .stop)
            )
        }
        let one = try await ActorRuntime.start(directory: directory.file("data"), configuration: configuration)
        let other = try await ActorRuntime.start(directory: directory.file("data"))
        try await withPatience(.seconds(60), of: [one, other], "a replaced worker's round") { [self] in
            let book = try await one.getOrCreate(Passbook.self, name: "book", options: passbookOptions)
            let same = try await other.getActor(Passbook.self, name: "book")
            let witness = PassbookWitness()
            let stop = StopFlag()
            let old = try await book.processID()
            defer { kill(old, SIGCONT) }
            async let load: Void = witness.load(book, callers: 3, until: stop)
            do {
                if kind == .stopped {
                    try await Task.sleep(for: .microseconds(choose(1000...60_000)))
                    try await Self.stop(old)
                } else if await !isReached(within: .seconds(20), { ProcessTable.isStopped(old) }) {
                    throw LaneError("the worker did not come to its step")
                }
            } catch {
                stop.raise()
                throw error
            }
            bit(kind == .stopped ? "stopped under load" : "stopped at a named step")
            try await one.kill(book, noRestart: false)
            async let late: Void = witness.load(same, callers: 2, until: stop)
            // In the middle of a commit it holds LMDB's lock, and the next owner waits for it.
            let before = witness.last
            if await isReached(within: .milliseconds(choose(100...600)), { witness.last != before }) {
                bit("went on after the takeover")
            } else {
                bit("went on before the takeover")
            }
            // These are in the old one's socket when it goes on: it must neither run nor answer them.
            let change = Task { await witness.enter(book) }
            let read = Task { await witness.look(book) }
            for _ in 0..<choose(1...5) { await Task.yield() }
            kill(old, SIGCONT)
            guard await isReached(within: .seconds(20), { !ProcessTable.isAlive(old) }) else {
                stop.raise()
                throw LaneError("the worker that was replaced is still there")
            }
            _ = (await change.value, await read.value)
            let atEnd = witness.last
            if await !isReached(within: .seconds(10), { witness.last != atEnd }) {
                violate("nobody is served afterwards")
            }
            stop.raise()
            _ = await (load, late)
            let contents = try await book.all()
            if try await same.all() != contents { violate("two drivers see two states") }
            settle(witness, contents)
            try await one.kill(book)
        }
        await other.shutdown()
        await one.shutdown()
    }

    /// Nothing can end a frozen process of a control group of the first version: so nothing may replace it either.
    func freeze(in directory: TrialDirectory) async throws {
        let freezer = try Freezer(name: "durable-soak-\(getpid())-\(number)")
        try await stand(in: directory, passbookOptions, "frozen under load") { old in
            try await freezer.freeze(old)
        } then: { [self] runtime, book, old in
            async let killed: Void = runtime.kill(book, noRestart: false)
            try await Task.sleep(for: .milliseconds(choose(50...300)))
            try freezer.thaw()
            try await killed
        } finally: {
            try? freezer.thaw()
        }
    }

    /// The next supervisor waits for it to return, and ends it when it does not.
    func orphan(in directory: TrialDirectory) async throws {
        try await stand(in: directory, passbookOptions, "stopped without a supervisor") { old in
            try await Self.stop(old)
        } then: { runtime, _, _ in
            guard let supervisor = runtime.supervisorProcessID else { throw LaneError("there is no supervisor") }
            kill(supervisor, SIGKILL)
        } finally: {
        }
    }

    func silence(in directory: TrialDirectory) async throws {
        var options = passbookOptions
        options.unresponsiveLimit = .process(.seconds(5))
        try await stand(in: directory, options, "stopped beyond its limit") { old in
            try await Self.stop(old)
        } then: { _, _, _ in
        } finally: {
        }
    }

    private static func stop(_ pid: Int32) async throws {
        kill(pid, SIGSTOP)
        guard await isReached(within: .seconds(20), { ProcessTable.isStopped(pid) }) else {
            throw LaneError("process \(pid) did not stop")
        }
    }

    /// Has a worker stand still under load, and looks when the first answer of another one comes: by then the old one
    /// has to be gone.
    private func stand(
        in directory: TrialDirectory,
        _ options: ActorOptions,
        _ fault: String,
        _ still: @escaping @Sendable (Int32) async throws -> Void,
        then act: @escaping @Sendable (ActorRuntime, Passbook, Int32) async throws -> Void,
        finally end: @escaping @Sendable () -> Void
    ) async throws {
        defer { end() }
        let one = try await ActorRuntime.start(directory: directory.file("data"))
        let other = try await ActorRuntime.start(directory: directory.file("data"))
        try await withPatience(.seconds(60), of: [one, other], "a round of \(kind)") { [self] in
            let book = try await one.getOrCreate(Passbook.self, name: "book", options: options)
            let same = try await other.getActor(Passbook.self, name: "book")
            let witness = PassbookWitness()
            let stop = StopFlag()
            let old = try await book.processID()
            async let load: Void = witness.load(book, callers: 2, until: stop)
            async let late: Void = witness.load(same, callers: 2, until: stop)
            try await Task.sleep(for: .microseconds(choose(1000...60_000)))
            do {
                try await still(old)
                bit(fault)
                try await act(one, book, old)
                // A look that comes back was answered by the next life, because the old one stands still.
                if await witness.look(same) == old { violate("a worker that stands still answered") }
                if ProcessTable.isAlive(old) { violate("another life answers while the old worker is there") }
            } catch {
                stop.raise()
                throw error
            }
            let atEnd = witness.last
            if await !isReached(within: .seconds(10), { witness.last != atEnd }) {
                violate("nobody is served afterwards")
            }
            stop.raise()
            _ = await (load, late)
            settle(witness, try await book.all())
            try await one.kill(book)
        }
        await other.shutdown()
        await one.shutdown()
    }
}

/// A control group whose processes can be frozen, of either version.
struct Freezer: Sendable {
    private let path: String
    private let isFirstVersion: Bool

    init(name: String) throws {
        let parents = [("/sys/fs/cgroup/freezer", true), ("/sys/fs/cgroup", false)]
        for (parent, isFirst) in parents {
            let path = "\(parent)/\(name)"
            guard mkdir(path, 0o755) == 0 else { continue }
            if access("\(path)/\(isFirst ? "freezer.state" : "cgroup.freeze")", W_OK) == 0 {
                (self.path, isFirstVersion) = (path, isFirst)
                return
            }
            rmdir(path)
        }
        throw LaneError("frozen rounds need root, and a control group that can be made in /sys/fs/cgroup")
    }

    func freeze(_ pid: Int32) async throws {
        try write("\(pid)", to: "cgroup.procs")
        try write(isFirstVersion ? "FROZEN" : "1", to: isFirstVersion ? "freezer.state" : "cgroup.freeze")
        let (file, word) = isFirstVersion ? ("freezer.state", "FROZEN") : ("cgroup.events", "frozen 1")
        guard await isReached(within: .seconds(20), { text(of: "\(path)/\(file)").contains(word) }) else {
            throw LaneError("process \(pid) was not frozen")
        }
    }

    /// Lets its processes go on, and removes the group when they have ended.
    func thaw() throws {
        guard access(path, F_OK) == 0 else { return }
        try write(isFirstVersion ? "THAWED" : "0", to: isFirstVersion ? "freezer.state" : "cgroup.freeze")
        // Those that were killed while frozen leave the group a moment later.
        for _ in 0..<500 where rmdir(path) != 0 && errno == EBUSY { usleep(2000) }
    }

    private func write(_ text: String, to name: String) throws {
        let file = open("\(path)/\(name)", O_WRONLY | O_CLOEXEC)
        defer { close(file) }
        guard file >= 0, Glibc.write(file, text, text.utf8.count) == text.utf8.count else {
            throw LaneError("\(path)/\(name) cannot be written: \(String(cString: strerror(errno)))")
        }
    }
}
