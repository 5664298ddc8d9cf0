internal import ArgumentParser
internal import DurableActors
internal import DurableBench
internal import Glibc

/// Answers: does recovery take longer when the worker that is killed had much in its memory, beyond what the kernel
/// needs to take that memory back?
///
/// For each size there is an actor that reads all of its state before it is killed, and for `--held` one without state
/// that has touched so much memory of its own. Beside each a process of this program is killed that maps the same file,
/// or has touched as much memory: the time until its socket ends is the floor.
struct ResidentBenchmark: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resident",
        abstract: "From kill -9 of a worker with little or much in its memory to the first reply of its next life."
    )

    @Option(help: "MiB of state, separated by commas.")
    var sizes = "0,1,16,128,1024"

    @Option(help: "MiB of memory of its own, which is no state, in one further actor; 0 for none.")
    var held = 1024

    @Option(help: "Rounds that are measured, after one that is not; each kills every worker once.")
    var rounds = 10

    @Option(help: "Milliseconds between kills, in which spares are started again.")
    var pause = 100

    @Option(help: "The directory on whose disk the state is kept.")
    var directory = "/var/tmp"

    @Option(help: "A file for the figures.")
    var json: String?

    @Option(help: "A file for every single duration: its line's name, a tab, and microseconds.")
    var samples: String?

    func validate() throws {
        guard rounds > 0, pause >= 0, held >= 0 else {
            throw ValidationError("rounds must be positive, pause and held not negative")
        }
        _ = try NumberList.parse(sizes, of: "sizes", from: 0)
    }

    func run() async throws {
        let sizes = try NumberList.parse(sizes, of: "sizes", from: 0)
        let load = BenchmarkMachine.load
        let machine = BenchmarkMachine.current()
        let place = try WorkingDirectory(in: directory)
        let table = try await ActorRuntime.withRuntime(directory: place.path + "/runtime") { runtime in
            var subjects: [ResidentSubject] = []
            for size in sizes { subjects.append(try await ResidentSubject(state: size, runtime)) }
            if held > 0 { subjects.append(try await ResidentSubject(held: held, runtime)) }
            return try await measure(subjects)
        }
        if let samples { try table.log.write(to: samples) }
        let report = Report(
            benchmark: "resident",
            parameters: [("sizes", self.sizes), ("held", "\(held) MiB"), ("rounds", "\(rounds)")],
            machine: machine,
            loadBefore: load,
            figures: table.figures,
            notes: [
                "Over all rounds, at .process. The floor: kill -9 to end of file of a process of this program that has",
                "the same file or as much memory in its memory. Each worker had read all of its state before.",
            ]
        )
        try report.publish(json: json)
    }

    private func measure(_ subjects: [ResidentSubject]) async throws -> ResidentTable {
        var table = ResidentTable()
        var progress = Progress("killing workers", total: rounds)
        for round in 0...rounds {
            for subject in subjects {
                try await subject.touch()
                try await Task.sleep(for: .milliseconds(pause))
                let resident = try subject.memory()
                let reply = try await subject.killAndCall()
                let floor = try subject.floor()
                // The first round warms caches, connections and files.
                guard round > 0 else { continue }
                table.record(reply: reply, floor: floor, resident: resident, of: subject.name)
            }
            progress.show(round)
        }
        return table
    }
}

/// An actor of the benchmark, and what is known of it from its answers.
private final class ResidentSubject {
    let name: String
    private let actor: ResidentActor
    private let bytes: Int
    private let held: Int
    private var last: BenchmarkActor.Answer

    /// Entries that one change adds.
    private static let fillCount = 64

    convenience init(state megabytes: Int, _ runtime: ActorRuntime) async throws {
        try await self.init("\(megabytes) MiB of state", bytes: megabytes << 20, held: 0, runtime)
    }

    convenience init(held megabytes: Int, _ runtime: ActorRuntime) async throws {
        try await self.init("\(megabytes) MiB of its own", bytes: 0, held: megabytes << 20, runtime)
    }

    private init(_ name: String, bytes: Int, held: Int, _ runtime: ActorRuntime) async throws {
        var options = ActorOptions.resilient
        options.durability = .process
        let actor = try await runtime.spawn(ResidentActor.self, options: options)
        let entries = bytes / ResidentActor.entryBytes
        for first in stride(from: 0, to: entries, by: Self.fillCount) {
            try await actor.fill(first, min(Self.fillCount, entries - first))
        }
        (self.name, self.actor, self.bytes, self.held) = (name, actor, bytes, held)
        last = try await actor.incrementHere()
    }

    /// Has the present life's process read everything.
    func touch() async throws {
        let found = try await actor.touch(held)
        guard found == bytes else { throw BenchmarkError("\(name): there are \(found) bytes") }
    }

    func memory() throws -> ProcessMemory { try WorkerProcess(processID: last.processID).memory() }

    /// Kills the actor's process, submits a change, and waits for its reply.
    /// - Returns: Nanoseconds from before the kill until after the reply.
    func killAndCall() async throws -> UInt64 {
        let before = last
        let start = nanoseconds()
        guard kill(before.processID, SIGKILL) == 0 else { throw BenchmarkError("killing a worker", code: errno) }
        let answer = try await actor.submit { try await $0.incrementHere() }.value
        let duration = nanoseconds() - start
        guard answer.processID != before.processID, answer.value == before.value + 1 else {
            throw BenchmarkError("\(name): \(before) was followed by \(answer)")
        }
        last = answer
        return duration
    }

    /// Kills a process that has as much in its memory. Returns the nanoseconds until its socket ended.
    func floor() throws -> UInt64 {
        let file = bytes > 0 ? try WorkerProcess(processID: last.processID).dataFile() : nil
        return try ChildProcess.echo(mapping: file, holding: held >> 20).killAndAwaitEnd()
    }
}

/// The results of all rounds.
private struct ResidentTable {
    private struct Line {
        let name: String
        var replies = Samples()
        var floors = Samples()
        var resident: [Double] = []
    }

    private var lines: [Line] = []
    private(set) var log = SampleLog()

    mutating func record(reply: UInt64, floor: UInt64, resident: ProcessMemory, of name: String) {
        log.record(reply, of: "\(name), first reply")
        log.record(floor, of: "\(name), end of file")
        let index = lines.firstIndex { $0.name == name } ?? lines.endIndex
        if index == lines.endIndex { lines.append(Line(name: name)) }
        lines[index].replies.record(reply)
        lines[index].floors.record(floor)
        lines[index].resident.append(Double(resident.resident) / 1_048_576)
    }

    var figures: [Report.Figure] {
        lines.map { line in
            Report.Figure(
                name: line.name,
                values: [
                    ("p50", line.replies.p50), ("p99", line.replies.p99), ("max", line.replies.max),
                    ("floor p50", line.floors.p50), ("floor p99", line.floors.p99),
                    ("p50 x floor", line.replies.p50 / line.floors.p50), ("PSS MiB", median(line.resident)),
                ]
            )
        }
    }
}
