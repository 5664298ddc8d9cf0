import DurableActors
import DurableCore
import Glibc

/// Descriptors, processes and memory that are not there.
extension ExhaustionTrial {
    private static let descriptorWords = ["Too many open files", "descriptor"]

    /// This process may open nothing more.
    func starveDriver(in directory: TrialDirectory) async throws {
        let own = LimitedProcess(getpid())
        try await underLoad(in: directory) { [self] runtime, _, witness in
            let asleep = try await runtime.spawn(Passbook.self, options: .resilient)
            try own.limit(RLIMIT_NOFILE, to: 3)
            guard open("/dev/null", O_RDONLY) < 0, errno == EMFILE else {
                throw LaneError("there are descriptors left")
            }
            bit("driver: no descriptor left")
            let before = witness.acknowledged
            // A first call needs a connection; one that is retried without limit may wait for it as well.
            let first = Task { try await asleep.enter(1) }
            do {
                let other = try await ActorRuntime.start(directory: directory.file("other"))
                await other.shutdown()
                violate("a runtime was started without descriptors")
            } catch {
                judge(error, words: Self.descriptorWords)
            }
            if await !isReached(within: .seconds(10), { witness.acknowledged > before + 5 }) {
                violate("calls on open connections stand still")
            }
            try own.free(RLIMIT_NOFILE)
            do {
                if try await first.value != 1 { violate("a first call ran \(try await asleep.enter(2)) times") }
            } catch {
                judge(error, words: Self.descriptorWords)
                let end = try await asleep.end()
                if end.count > 1 { violate("a first call ran \(end.count) times") }
            }
            try await runtime.kill(asleep)
        } end: {
            try own.free(RLIMIT_NOFILE)
        }
    }

    /// The supervisor may open nothing more.
    func starveSupervisor(in directory: TrialDirectory) async throws {
        let supervisor = LimitedProcess()
        try await underLoad(in: directory) { [self] runtime, book, witness in
            guard let pid = runtime.supervisorProcessID else { throw LaneError("there is no supervisor") }
            supervisor.pid = pid
            try supervisor.limit(RLIMIT_NOFILE, to: 3)
            bit("supervisor: no descriptor left")
            await strain(runtime, book, witness, words: Self.descriptorWords)
        } end: {
            try supervisor.free(RLIMIT_NOFILE)
        }
    }

    /// The supervisor may start no process.
    func takeProcesses(in directory: TrialDirectory) async throws {
        let group = try LaneGroup("pids", name: "durable-soak-\(getpid())")
        defer { group.remove() }
        try await underLoad(in: directory) { [self] runtime, book, witness in
            guard let pid = runtime.supervisorProcessID else { throw LaneError("there is no supervisor") }
            try group.add(pid)
            try group.write("\(ProcessTable.threads(of: pid))", to: "pids.max")
            bit("supervisor: no process left")
            await strain(runtime, book, witness, words: ["Resource temporarily unavailable", "process"])
        } end: {
            try group.write("max", to: "pids.max")
        }
    }

    /// Needs new lives and new actors while they can hardly be had.
    private func strain(_ runtime: ActorRuntime, _ book: Passbook, _ witness: PassbookWitness, words: [String]) async {
        var made: [Passbook] = []
        for _ in 0..<4 {
            do {
                let one = try await runtime.spawn(Passbook.self, options: .resilient)
                made.append(one)
                _ = try await one.with(.timeout(.milliseconds(300))) { try await $0.enter(1) }
            } catch let error as ActorError where error.code == .timedOut {
                bit("a new actor had to wait")
            } catch {
                judge(error, words: words)
                bit("a new actor was refused")
            }
        }
        // Spares are used up by now: this life may have to wait for the end of the shortage.
        if let process = await witness.look(book) { kill(process, SIGKILL) }
        try? await Task.sleep(for: .milliseconds(choose(100...400)))
        for one in made { try? await runtime.kill(one) }
    }

    /// A method that wants more than there is.
    func takeMemory(in directory: TrialDirectory) async throws {
        let group = try LaneGroup("memory", name: "durable-soak-\(getpid())")
        defer { group.remove() }
        try group.write("\(300 << 20)", to: group.isFirstVersion ? "memory.limit_in_bytes" : "memory.max")
        try await underLoad(in: directory) { [self] runtime, book, _ in
            guard let pid = runtime.supervisorProcessID else { throw LaneError("there is no supervisor") }
            // Those that it starts from here on are members from their first moment.
            try group.add(pid)
            for process in ProcessTable.children(of: pid) { try group.add(process) }
            let hog = try await runtime.spawn(Passbook.self, options: .resilient)
            if try await hog.enter(1) != 1 { violate("a new actor is not new") }
            do {
                _ = try await hog.take(megabytes: 600)
                violate("600 MB were had where there are 300")
            } catch let error as ActorError where error.code == .poisonCall {
                bit("worker: no memory left")
                if !"\(error)".contains("memory") { violate("an error does not say what is short: \(error)") }
            } catch {
                violate("who took all memory was told: \(error)")
            }
            if try await hog.enter(2) != 2 { violate("the actor that took all memory has lost something") }
            try await runtime.kill(hog)
        }
    }
}

/// A control group of one controller, of either version.
struct LaneGroup: Sendable {
    let isFirstVersion: Bool
    private let path: String

    init(_ controller: String, name: String) throws {
        isFirstVersion = access("/sys/fs/cgroup/\(controller)", W_OK) == 0
        let parent = isFirstVersion ? "/sys/fs/cgroup/\(controller)" : "/sys/fs/cgroup"
        path = "\(parent)/\(name)"
        guard mkdir(path, 0o755) == 0 || errno == EEXIST else {
            throw LaneError("this lane needs a control group of \(controller) that it may make in \(parent)")
        }
    }

    /// One that has ended needs to be in no group.
    func add(_ pid: Int32) throws {
        do {
            try write("\(pid)", to: "cgroup.procs")
        } catch {
            if ProcessTable.isAlive(pid) { throw error }
        }
    }

    func write(_ text: String, to name: String) throws {
        let file = open("\(path)/\(name)", O_WRONLY | O_CLOEXEC)
        defer { close(file) }
        guard file >= 0, Glibc.write(file, text, text.utf8.count) == text.utf8.count else {
            throw LaneError("\(path)/\(name) cannot be written: \(String(cString: strerror(errno)))")
        }
    }

    /// Processes that have just ended leave it a moment later.
    func remove() { for _ in 0..<500 where rmdir(path) != 0 && errno == EBUSY { usleep(2000) } }
}
