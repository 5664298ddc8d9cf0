package import DurableCore
internal import DurableProcess
internal import Glibc

/// Starts a supervisor for a directory from a driver. Blocking; called on a thread made for it.
package enum SupervisorLauncher {
    /// How an attempt ended.
    package enum OnLaunch: Sendable {
        /// This one serves the directory; it is reaped when it ends.
        case started
        /// Another one does.
        case alreadyRunning
    }

    /// Spawns a candidate and waits until it serves the directory or finds it served.
    /// - Throws: `ActorError` when the directory cannot be served.
    package static func launch(_ configuration: SupervisorConfiguration) throws(ActorError) -> OnLaunch {
        let layout = RuntimeLayout(directory: configuration.directory)
        do {
            let log = try StderrFile(path: "\(layout.supervisor)/log")
            try log.trim(bytesMax: Limits.stderrBytesMax)
            var pair = try SocketPair()
            var spawn = SpawnConfiguration(image: try ExecutableImage.current())
            spawn.role = .supervisor
            spawn.controlSocket = pair.remote
            spawn.standardError = log.descriptor
            let handle = try ProcessHandle.spawn(spawn)
            close(pair.takeRemote())
            return try converse(configuration, handle, pair.local, log)
        } catch let error as ProcessError {
            throw ActorError(.supervisorUnreachable, "no supervisor can be started", cause: error.message)
        } catch let error as ActorError {
            throw error
        } catch {
            throw ActorError(.internalError, "no supervisor can be started", cause: "\(error)")
        }
    }

    /// A candidate that has given its answer ends at once.
    private static func reap(_ handle: ProcessHandle) {
        if !handle.waitUntilEnded(for: .seconds(2)) { handle.kill() }
        _ = handle.waitUntilEnded(for: .seconds(2))
        _ = handle.reap()
    }

    private static func converse(
        _ configuration: SupervisorConfiguration,
        _ handle: ProcessHandle,
        _ control: Int32,
        _ log: StderrFile
    ) throws(ActorError) -> OnLaunch {
        do throws(ActorError) {
            try ControlPipe.send(configuration, to: control)
            switch try ControlPipe.receive(StartOutcome.self, from: control) {
            case .ready:
                SupervisorReaper.reapWhenEnded(handle)
                return .started
            case .alreadyRunning:
                reap(handle)
                return .alreadyRunning
            case .failed(let error):
                reap(handle)
                throw error
            }
        } catch {
            guard error.code == .supervisorUnreachable, error.cause == nil else { throw error }
            handle.kill()
            reap(handle)
            // LMDB can crash on a damaged file before it says what is wrong.
            let registry = RuntimeLayout(directory: configuration.directory).supervisor
            if access("\(registry)/data.mdb", F_OK) == 0, let damage = RegistryFile.verify(registry).findings.first {
                throw ActorError(
                    .directoryUnusable,
                    "the supervisor ended while it was being started, and the registry of \(configuration.directory) is "
                        + "damaged: \(damage). Nothing was changed; put a backup of it back"
                )
            }
            var failure = error
            failure.cause = try? log.tail(bytesMax: 1024)
            throw failure
        }
    }
}
