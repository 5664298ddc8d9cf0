internal import DurableCore
internal import DurableProcess
internal import Glibc

#if SEEDED_BUGS
internal import SeededBugs
#endif

/// The supervisor's role: takes the directory, tells the driver that started it, serves until nobody needs it.
package enum SupervisorMain {
    /// Never returns. Called before `main` in a process that a driver spawned for this role.
    package static func run(control: Int32) -> Never {
        do {
            try OrphanReaper.becomeSubreaper()
            let configuration = try ControlPipe.receive(SupervisorConfiguration.self, from: control)
            let layout = RuntimeLayout(directory: configuration.directory)
            guard let lock = try takeLock(layout) else {
                try ControlPipe.send(StartOutcome.alreadyRunning, to: control)
                exit(WorkerExitCode.finished)
            }
            let supervisor = try Supervisor(configuration, lock: lock)
            try ControlPipe.send(StartOutcome.ready, to: control)
            close(control)
            supervisor.run()
        } catch {
            let known = error as? ActorError
            let failure = known ?? ActorError(.supervisorUnreachable, "the supervisor cannot start", cause: "\(error)")
            // When the driver is gone as well there is nobody left to tell.
            try? ControlPipe.send(StartOutcome.failed(failure), to: control)
            exit(WorkerExitCode.broken)
        }
    }

    /// The descriptor that holds the directory's lock for this process's life; `nil` when another one has it.
    private static func takeLock(_ layout: RuntimeLayout) throws(ActorError) -> Int32? {
        let lock = open(layout.lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard lock >= 0 else {
            throw RuntimeDirectory.unusable(layout.lock, "cannot be opened: \(RuntimeDirectory.reason(errno))")
        }
        #if SEEDED_BUGS
        if SeededBug.supervisorWithoutLock.isActive { return lock }
        #endif
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            close(lock)
            return nil
        }
        return lock
    }
}
