import ArgumentParser
import DurableProcess
import DurableSupervisor
import Glibc

/// Power losses that were recorded: what real processes wrote is put together as a disk can have it at any moment.
struct CrashStates: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "crash-states",
        abstract: "Records what a runtime's processes write, and opens what a power loss can leave of it."
    )

    @Option(help: "How many different states are opened.")
    var states = 50_000

    @Option(help: "How many processes open them.")
    var checkers = 2

    @Flag(help: "Keep the traces, and say where they are; one that has shown something is kept anyway.")
    var keepTraces = false

    @OptionGroup var options: LaneOptions

    /// States of one trace.
    private static let roundStates = 50_000
    private static let callsOfActor = 40

    func validate() throws {
        guard states > 0, (1...64).contains(checkers) else {
            throw ValidationError("--states must be positive, and --checkers 1 to 64")
        }
    }

    func run() async throws {
        guard let scratch = Enclosure.directory else { try Enclosure.run() }
        _ = try Child.product("libWriteTraceShim.so")
        var result = LaneResult(lane: "crash-states", unit: "states", wanted: states, seed: options.seed)
        var progress = Progress("states", of: states)
        // A few states need not have all of them.
        if states >= 5000 {
            for kind in CrashState.Kind.allCases { result.faults["\(kind)"] = 0 }
            result.faults["deaths within an operation"] = 0
        }
        var round = 0
        while result.trials < states, result.violations.count < 20, round < 10 + 4 * states / Self.roundStates {
            let directory = "\(scratch)/\(round)"
            mkdir(directory, 0o700)
            let wanted = min(states - result.trials, Self.roundStates)
            let trace = try record(in: directory, seed: options.seed &+ UInt64(round), wanted: wanted, &result)
            let violations = result.violations.count
            try await check(trace, in: directory, round: round, wanted: wanted, &result, &progress)
            if keepTraces || result.violations.count > violations { try keep(trace, round) }
            RuntimeDirectory.remove(directory)
            round += 1
        }
        result.seconds = progress.seconds
        try result.conclude(options)
    }

    /// Runs the processes that are recorded.
    private func record(in directory: String, seed: UInt64, wanted: Int, _ result: inout LaneResult) throws -> String {
        let (trace, orders) = ("\(directory)/trace", "\(directory)/orders")
        let files = "\(directory)/files"
        mkdir(files, 0o700)
        let shared = try SharedNumbers(path: orders)
        let waves = max(1, min(5, wanted / 10_000))
        let output = open("\(directory)/output", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        defer { close(output) }
        let driver = try Child.start(
            [
                "crash-trace", "--directory", files, "--log", trace, "--orders", orders, "--seed", "\(seed)",
                "--waves", "\(waves)", "--calls", "\(Self.callsOfActor)",
            ],
            environment: [
                "LD_PRELOAD": try Child.product("libWriteTraceShim.so"),
                "WRITE_TRACE_LOG": trace, "WRITE_TRACE_DIRECTORY": files, "WRITE_TRACE_ORDERS": orders,
            ],
            output: output
        )
        let isOver = driver.waitUntilEnded(for: .seconds(300))
        let status = driver.reap()
        // What is left of its runtime ends by itself, as it does without a supervisor, and is ended if it does not.
        endOthers(after: .seconds(4))
        guard isOver, status == .exited(code: 0) else {
            throw LaneError("the recorded runtime did not get through: \(status.map { "\($0)" } ?? "it stood still")")
        }
        if shared[2] > 0 { result.faults["deaths within an operation", default: 0] += shared[2] }
        return trace
    }

    /// The recorded processes are known by the library that they were started with.
    private func endOthers(after patience: Duration) {
        let start = ContinuousClock.now
        while start.duration(to: .now) < patience + .seconds(10) {
            let others = RuntimeDirectory.entries(of: "/proc").compactMap { Int32($0) }.filter { pid in
                let environment = SmallFile.text("/proc/\(pid)/environ") ?? ""
                return environment.contains("WRITE_TRACE_LOG=\(Enclosure.directory ?? "?")/")
            }
            if others.isEmpty { return }
            if start.duration(to: .now) > patience { for pid in others { kill(pid, SIGKILL) } }
            usleep(2000)
        }
    }

    private func check(
        _ trace: String,
        in directory: String,
        round: Int,
        wanted: Int,
        _ result: inout LaneResult,
        _ progress: inout Progress
    ) async throws {
        let before = result.trials
        var parts: [CheckerPart] = []
        for part in 0..<checkers {
            let share = wanted / checkers + (part < wanted % checkers ? 1 : 0)
            parts.append(
                try CheckerPart(
                    part: part,
                    of: checkers,
                    trace: trace,
                    directory: directory,
                    seed: options.seed &+ UInt64(round),
                    states: share
                )
            )
        }
        while true {
            Enclosure.endIfOrphaned()
            for part in parts { try part.look() }
            progress.show(before + parts.reduce(0) { $0 + $1.states })
            if parts.allSatisfy(\.isOver) { break }
            try await Task.sleep(for: .milliseconds(100))
        }
        for part in parts { part.add(to: &result, round: round) }
    }

    private func keep(_ trace: String, _ round: Int) throws {
        let target = "/tmp/soak-crash-states-\(options.seed)-\(round).trace"
        guard let source = SmallFile.bytes(trace) else { return }
        let descriptor = open(target, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        defer { close(descriptor) }
        var written = 0
        while written < source.count {
            let count = source.withUnsafeBytes { write(descriptor, $0.baseAddress! + written, source.count - written) }
            guard count > 0 else { throw LaneError("\(target) cannot be written") }
            written += count
        }
        StandardError.write(
            "crash-states: the trace is kept: soak crash-check --trace \(target) --seed \(options.seed &+ UInt64(round)) "
                + "--scratch /dev/shm/states --counters /dev/shm/states.counters --states \(Self.roundStates)\n"
        )
    }
}

/// One process that looks at states, started again behind each state that ended it.
private final class CheckerPart {
    private let arguments: [String]
    private let counters: SharedNumbers
    private let output: String
    private let wanted: Int
    private var process: ProcessHandle
    private var deaths: [String] = []
    private(set) var isOver = false

    init(part: Int, of parts: Int, trace: String, directory: String, seed: UInt64, states: Int) throws {
        let path = "\(directory)/counters\(part)"
        counters = try SharedNumbers(path: path)
        output = "\(directory)/findings\(part)"
        wanted = states
        arguments = [
            "crash-check", "--trace", trace, "--scratch", "\(directory)/state\(part)", "--counters", path,
            "--seed", "\(seed)", "--parts", "\(parts)", "--part", "\(part)",
        ]
        process = try Self.start(arguments, from: 0, states: states, output)
    }

    private static func start(
        _ arguments: [String],
        from record: Int,
        states: Int,
        _ output: String
    ) throws -> ProcessHandle {
        let descriptor = open(output, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        defer { close(descriptor) }
        return try Child.start(arguments + ["--start", "\(record)", "--states", "\(states)"], output: descriptor)
    }

    var states: Int { counters[CrashCheck.Counter.states] }

    /// Looks whether the process has ended, and goes on behind a state that killed it.
    func look() throws {
        guard !isOver, let status = process.reap() else { return }
        if status == .exited(code: 0) {
            isOver = true
            return
        }
        let record = counters[CrashCheck.Counter.index]
        deaths.append("record \(record), state \(counters[CrashCheck.Counter.attempt]): the process ended by \(status)")
        guard deaths.count < 20 else {
            isOver = true
            return
        }
        process = try Self.start(arguments, from: record + 1, states: max(1, wanted - states), output)
    }

    func add(to result: inout LaneResult, round: Int) {
        result.trials += states
        for kind in CrashState.Kind.allCases {
            let count = counters[CrashCheck.Counter.kinds + kind.rawValue]
            if count > 0 { result.faults["\(kind)", default: 0] += count }
        }
        let refused = counters[CrashCheck.Counter.isRefused]
        if refused > 0 { result.faults["refused before the first snapshot", default: 0] += refused }
        let findings = (SmallFile.text(output) ?? "").split(separator: "\n").map(String.init) + deaths
        result.violations += findings.map { "round \(round), \($0)" }
    }
}
