internal import CDurable
internal import Glibc

#if SEEDED_BUGS
internal import SeededBugs
#endif

extension ProcessHandle {
    /// Starts a process in a session of its own, with only the descriptors that the configuration names.
    ///
    /// Returns when the image runs, so a missing or refused executable is an error here and never a dead child.
    package static func spawn(_ configuration: SpawnConfiguration) throws(ProcessError) -> ProcessHandle {
        try configuration.validate()
        let arguments = CStringArray(configuration.arguments.map { Array($0.utf8) })
        let inherited = SpawnConfiguration.currentEnvironment()
        let environment = CStringArray(configuration.childEnvironment(inherited: inherited))
        var request = durable_spawn_request()
        request.image_fd = configuration.image.descriptor
        request.arguments = UnsafePointer(arguments.pointers)
        request.environment = UnsafePointer(environment.pointers)
        request.stdout_fd = configuration.standardOutput ?? -1
        request.stderr_fd = configuration.standardError ?? -1
        request.control_fd = configuration.controlSocket ?? -1
        request.keeps_core_limit = configuration.wantsCores(inherited: inherited)

        // The image and the arrays are read through bare pointers and numbers until durable_spawn has returned.
        defer { withExtendedLifetime((configuration, arguments, environment)) {} }
        return try WatchedProcesses.withoutOthersStartingOrReaping { () throws(ProcessError) in
            var started = durable_spawn_result()
            let error = durable_spawn(&request, &started)
            guard error == 0 else { throw spawnError(error, started, path: configuration.image.path) }
            return ProcessHandle(
                pid: started.pid,
                // An ended child keeps its entry until it is reaped, unless this process ignores SIGCHLD.
                startTime: ProcessStatus(pid: started.pid)?.startTime ?? 0,
                descriptor: started.pidfd,
                watchToken: WatchedProcesses.enter(started.pid)
            )
        }
    }

    /// Does something while no other thread of this process starts a child; a start that is under way is finished
    /// first. Who never returns from it ends this process without having started another one.
    package static func withoutSpawning(_ body: () -> Void) {
        WatchedProcesses.withoutOthersStartingOrReaping { body() }
    }

    /// Finds a process that this one did not start. Returns nil if it has ended, or if the pid names another process.
    ///
    /// - Throws: If the kernel gives no pidfd for another reason, such as too many open descriptors.
    package static func adopt(pid: Int32, startTime: UInt64) throws(ProcessError) -> ProcessHandle? {
        guard pid > 0 else {
            throw ProcessError(code: .invalidConfiguration, message: "\(pid) is not a process number")
        }
        var descriptor: Int32 = -1
        let error = durable_pidfd_open(pid, &descriptor)
        // EINVAL: the number belongs to a thread (ENOENT since Linux 6.15), so the process that had it is gone.
        if [ESRCH, EINVAL, ENOENT].contains(error) { return nil }
        guard error == 0 else { throw ProcessError(attempt: "pidfd_open(\(pid))", errno: error) }
        let found = ProcessStatus(pid: pid)
        let handle = ProcessHandle(
            pid: pid,
            startTime: startTime,
            descriptor: descriptor,
            watchToken: WatchedProcesses.enter(pid)
        )
        #if SEEDED_BUGS
        if SeededBug.adoptedByNumberAlone.isActive { return handle.isAlive ? handle : nil }
        #endif
        // Alive after the look at /proc, so the look was at the process that the pidfd names.
        return found?.startTime == startTime && handle.isAlive ? handle : nil
    }

    private static func spawnError(_ errno: Int32, _ result: durable_spawn_result, path: String) -> ProcessError {
        let step = result.failed_step.map { String(cString: $0) } ?? "spawn"
        var error = ProcessError(attempt: "start \(path): \(step)", errno: errno)
        let isVerdictOnFile = [EACCES, ENOENT, ENOEXEC, EPERM, ELIBBAD, ETXTBSY].contains(errno)
        if step == "execveat" && isVerdictOnFile { error.code = .executableUnusable }
        return error
    }
}

/// Strings laid out for execve: a null-terminated array of C strings, freed with the object.
private final class CStringArray {
    let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private let count: Int

    init(_ strings: [[UInt8]]) {
        count = strings.count
        pointers = .allocate(capacity: count + 1)
        pointers.initialize(repeating: nil, count: count + 1)
        for (index, string) in strings.enumerated() {
            let copy = UnsafeMutablePointer<CChar>.allocate(capacity: string.count + 1)
            for (offset, byte) in string.enumerated() { copy[offset] = CChar(bitPattern: byte) }
            copy[string.count] = 0
            pointers[index] = copy
        }
    }

    deinit {
        for index in 0..<count { pointers[index]?.deallocate() }
        pointers.deallocate()
    }
}
