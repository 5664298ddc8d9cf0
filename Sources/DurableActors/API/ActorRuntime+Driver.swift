internal import CBOR
internal import DurableCore
internal import DurableProcess
internal import DurableSupervisor
internal import DurableTransport
internal import Glibc
internal import Synchronization

/// Starting, joining and leaving a runtime as a driver.
extension ActorRuntime {
    /// Starts a runtime, or joins the one that serves the directory.
    ///
    /// - Parameters:
    ///   - directory: Where registry and state are kept; created when missing, with access for this user only. Without
    ///     one, a temporary directory that goes with the runtime, as do all actors in it.
    ///   - configuration: How the runtime works. When the directory is served already, its supervisor's counts.
    /// - Returns: The runtime; end it with ``shutdown()``.
    /// - Throws: ``ActorError`` with `directoryUnusable`, `storageFull`, `invalidArgument` or `supervisorUnreachable`.
    public static func start(
        directory: String? = nil,
        configuration: RuntimeConfiguration = RuntimeConfiguration()
    ) async throws -> ActorRuntime {
        try configuration.validate()
        guard let directory else {
            let path = try temporaryPath()
            do {
                return try await start(path, isEphemeral: true, configuration)
            } catch {
                // Where no supervisor has served, none removes it.
                RuntimeDirectory.remove(path)
                throw error
            }
        }
        return try await start(absolutePath(directory), isEphemeral: false, configuration)
    }

    private static func start(
        _ path: String,
        isEphemeral: Bool,
        _ configuration: RuntimeConfiguration
    ) async throws -> ActorRuntime {
        let layout = RuntimeLayout(directory: path)
        let setup = SupervisorConfiguration(
            directory: path,
            isEphemeral: isEphemeral,
            spares: configuration.warmSpares,
            worker: WorkerConfiguration(
                gracePeriodSeconds: configuration.gracePeriod / .seconds(1),
                snapshotIntervalSeconds: configuration.snapshotInterval / .seconds(1),
                sessionLeaseMilliseconds: configuration.sessionLease.wholeMilliseconds,
                keyedRecordsMax: configuration.keyedRecordsMax,
                taskWorkerIdleSeconds: configuration.taskWorkerIdleTime / .seconds(1),
                faults: configuration.faults,
                faultTally: configuration.faultTally
            ),
            head: try MachineResources.head(configuration.resources)
        )
        try await onOwnThread { () throws(ActorError) in try RuntimeDirectory.prepare(layout) }
        let loop = try makeLoop("durable")
        loop.start()
        var generator = SystemRandomNumberGenerator()
        let id = DriverID(random: &generator)
        do {
            let executable = try ExecutableImage.current().path
            let greeting = try CBOREncoder().encode(DriverGreeting(id: id, executable: executable))
            let keeper = SupervisorKeeper(setup, loop: loop, greeting: greeting)
            let link = SupervisorLink(loop: loop, reconnection: keeper.reconnection)
            let runtime = ActorRuntime(
                loop: loop,
                link: link,
                layout: layout,
                membership: .driver(id),
                executable: executable,
                taskWorkerIdleTime: configuration.taskWorkerIdleTime,
                log: configuration.log,
                objectLease: configuration.objectLease
            )
            try await keeper.reachFirst(link)
            return runtime
        } catch {
            loop.stop()
            throw error
        }
    }

    /// Starts a runtime, gives it to `body`, and shuts it down when `body` returns or throws.
    @concurrent
    public static func withRuntime<Result>(
        directory: String? = nil,
        configuration: RuntimeConfiguration = RuntimeConfiguration(),
        _ body: @concurrent (ActorRuntime) async throws -> Result
    ) async throws -> Result {
        let runtime = try await start(directory: directory, configuration: configuration)
        do {
            let result = try await body(runtime)
            await runtime.shutdown()
            return result
        } catch {
            await runtime.shutdown()
            throw error
        }
    }

    /// Leaves the runtime: the actors that this process owns end, detached ones go on. The last driver to leave ends
    /// the supervisor, unless detached actors run in a directory that was given; then no process and, in a temporary
    /// directory, no file is left. Calls that are still open fail with `runtimeStopped`.
    public func shutdown() async {
        guard case .driver = membership,
            !isStopped.withLock({ was in
                defer { was = true }; return was
            })
        else { return }
        let error = ActorError(.runtimeStopped, "the runtime has been shut down")
        forgetDecoder()
        calls.stop(error)
        objects.stop(error)
        // Looked up before it ends, so that its number cannot be another process's.
        let before = supervisorProcessID.flatMap { try? ProcessHandle.adopt(peer: $0) }
        // When no supervisor can be told, the next one notices by itself that this process is gone.
        let answer = try? await link.request(.leave)
        // The supervisor that answered may be the successor of one that was just killed.
        let supervisor = supervisorProcessID.flatMap { try? ProcessHandle.adopt(peer: $0) } ?? before
        link.stop(error)
        if case .left(isLast: true)? = answer, let supervisor {
            await Self.waitForExit(of: supervisor)
        }
        loop.stop()
    }

    /// The process number of the supervisor, for tools that look at it or kill it.
    public var supervisorProcessID: Int32? { link.peerProcessID }

    /// Waits, for a bounded time, for the supervisor that is ending.
    private static func waitForExit(of supervisor: ProcessHandle) async {
        // The work throws nothing; should no thread be had, the supervisor ends all the same, a moment later.
        try? await onOwnThread { () throws(ActorError) in
            _ = supervisor.waitUntilEnded(for: Limits.shutdownTimeout + .seconds(1))
            // It may be this process's child.
            _ = supervisor.reap()
        }
    }

    private static func absolutePath(_ path: String) throws -> String {
        guard !path.isEmpty else { throw ActorError(.invalidArgument, "directory is empty; give a path, or none") }
        var absolute = path
        if !path.hasPrefix("/") {
            guard let current = getcwd(nil, 0) else {
                throw ActorError(.directoryUnusable, "the working directory is gone; give an absolute path")
            }
            defer { free(current) }
            absolute = String(cString: current) + "/" + path
        }
        while absolute.count > 1, absolute.hasSuffix("/") { absolute.removeLast() }
        return absolute
    }

    private static func temporaryPath() throws -> String {
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(base)/durable-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            let reason = String(cString: strerror(errno))
            throw ActorError(.directoryUnusable, "no temporary directory can be made in \(base): \(reason)")
        }
        // The umask may have taken modes away.
        chmod(template, 0o700)
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func makeLoop(_ name: String) throws(ActorError) -> EventLoop {
        do {
            return try EventLoop(name: name)
        } catch {
            throw ActorError(.limitExceeded, "no event loop can be made", cause: error.message)
        }
    }
}
