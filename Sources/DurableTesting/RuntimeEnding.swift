internal import DurableActors
internal import DurableProcess
internal import DurableSupervisor
internal import Glibc
internal import Testing

/// The end of a test's runtime: nothing of it may be left.
struct RuntimeEnding {
    private let runtime: ActorRuntime
    private let patience: Duration
    private let processes: RuntimeProcesses

    init(_ runtime: ActorRuntime, patience: Duration) {
        self.runtime = runtime
        self.patience = patience
        processes = RuntimeProcesses(directory: runtime.directory)
    }

    /// Tells in a warning what happened to the workers of a test that failed.
    func report() async {
        let text = await FailureReport(directory: runtime.directory).text()
        if let text { Issue.record(Comment(rawValue: text), severity: .warning) }
    }

    /// Ends the runtime; what is left is an issue, and is ended and removed as well.
    func end() async {
        // A test may have stopped a process and failed before it let it go on; it could not end.
        for process in processes.all() { process.signal(SIGCONT) }
        // What cannot be asked or killed, because the test has shut the runtime down or damaged it, is found below.
        for actor in (try? await runtime.actors()) ?? [] { try? await runtime.kill(actor.id) }
        await runtime.shutdown()
        let deadline = ContinuousClock.now + patience
        while let remains = Remains(processes), ContinuousClock.now < deadline {
            // Nobody cancels this task, and a sleep that was cut short would only mean to look earlier.
            try? await Task.sleep(for: remains.processes.isEmpty ? .milliseconds(1) : .milliseconds(10))
        }
        guard let remains = Remains(processes) else { return }
        Issue.record(Comment(rawValue: remains.description))
        await remains.remove(patience)
    }
}

/// What is left of a runtime that was shut down.
private struct Remains: CustomStringConvertible {
    let processes: [ProcessHandle]
    private let directory: String?

    /// `nil` when nothing is.
    init?(_ runtime: RuntimeProcesses) {
        processes = runtime.all()
        directory = access(runtime.directory, F_OK) == 0 ? runtime.directory : nil
        if processes.isEmpty, directory == nil { return nil }
    }

    var description: String {
        let left = processes.map { "process \($0.pid)" } + (directory.map { ["the directory \($0)"] } ?? [])
        return "the test's runtime was shut down, but not all of it is gone; left is \(left.joined(separator: ", "))"
    }

    func remove(_ patience: Duration) async {
        for process in processes { process.kill() }
        let deadline = ContinuousClock.now + patience
        while processes.contains(where: \.isAlive), ContinuousClock.now < deadline {
            // As above.
            try? await Task.sleep(for: .milliseconds(1))
        }
        if let directory { RuntimeDirectory.remove(directory) }
    }
}
