internal import Glibc

/// Ends processes politely, then surely. Blocks its thread: for shutdown, where nothing else is left to do.
package struct Teardown: Sendable {
    /// How a process came to its end.
    package enum Outcome: Hashable, Sendable {
        /// It had ended before it was asked.
        case alreadyEnded(ExitStatus)
        /// It ended after it was asked, in time.
        case complied(ExitStatus)
        /// It had to be killed.
        case killed(ExitStatus)
        /// It was killed and is still there: the kernel cannot end it yet, as with hung storage.
        case stuck
    }

    /// How long an asked process may take.
    package var patience: Duration
    /// How long a killed process may take; the kernel has to tear down its memory.
    package var killPatience: Duration

    /// Makes a teardown that gives each process the same time.
    package init(patience: Duration, killPatience: Duration = .seconds(10)) {
        self.patience = patience
        self.killPatience = killPatience
    }

    /// Ends one process and returns how. Without a closure it is asked by SIGTERM.
    package func end(
        _ process: ProcessHandle,
        asking ask: (ProcessHandle) -> Void = { $0.signal(SIGTERM) }
    ) -> Outcome {
        end([process], asking: ask)[0]
    }

    /// Ends several processes, which share the patience. Returns the outcomes in the order of the processes.
    package func end(
        _ processes: [ProcessHandle],
        asking ask: (ProcessHandle) -> Void = { $0.signal(SIGTERM) }
    ) -> [Outcome] {
        var outcomes = processes.map { process in process.reap().map { Outcome.alreadyEnded($0) } }
        let asked = outcomes.indices.filter { outcomes[$0] == nil }
        for index in asked { ask(processes[index]) }
        collect(asked, of: processes, for: patience) { outcomes[$0] = .complied($1) }

        let refusing = asked.filter { outcomes[$0] == nil }
        for index in refusing { processes[index].kill() }
        collect(refusing, of: processes, for: killPatience) { outcomes[$0] = .killed($1) }
        return outcomes.map { $0 ?? .stuck }
    }

    private func collect(
        _ indices: [Int],
        of processes: [ProcessHandle],
        for patience: Duration,
        ended: (Int, ExitStatus) -> Void
    ) {
        let clock = ContinuousClock()
        let deadline = clock.now + patience
        for index in indices where processes[index].waitUntilEnded(for: clock.now.duration(to: deadline)) {
            // Readable means ended, and an ended process always has a status, if only `unknown`.
            if let status = processes[index].reap() { ended(index, status) }
        }
    }
}
