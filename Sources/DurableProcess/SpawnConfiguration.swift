internal import CDurable
internal import Glibc

/// What a child process runs and what it is given.
///
/// The descriptors are borrowed: they must stay open until `ProcessHandle.spawn` has returned, and remain the
/// caller's to close.
package struct SpawnConfiguration: Sendable {
    /// The part that an executable linked with this package plays instead of running its `main`.
    package enum Role: String, Sendable, CaseIterable {
        case supervisor, worker

        /// The number under which the role entry point receives this role.
        package init?(entryNumber: Int32) {
            switch entryNumber {
            case DURABLE_ROLE_SUPERVISOR: self = .supervisor
            case DURABLE_ROLE_WORKER: self = .worker
            default: return nil
            }
        }
    }

    /// The program to run.
    package var image: ExecutableImage
    /// All arguments, with the program's name first.
    package var arguments: [String]
    /// Variables set on top of this process's environment, from which everything named `DURABLE_*` is removed first.
    package var environment: [String: String] = [:]
    /// The role to take, if any. It needs a control socket.
    package var role: Role?
    /// A Unix socket that the child gets as descriptor 3.
    package var controlSocket: Int32?
    /// Where the child's standard output goes; nil is `/dev/null`.
    package var standardOutput: Int32?
    /// Where the child's standard error goes; nil is `/dev/null`.
    package var standardError: Int32?

    /// Makes a configuration that runs the image with its path as the only argument.
    package init(image: ExecutableImage, arguments: [String]? = nil) {
        self.image = image
        self.arguments = arguments ?? [image.path]
    }
}

/// The names and values through which a child's environment differs from its parent's.
enum SpawnVariable {
    static let ownPrefix = "DURABLE_"
    static let role = DURABLE_ROLE_VARIABLE
    static let control = DURABLE_CONTROL_VARIABLE
    static let backtraceWanted = "DURABLE_WORKER_BACKTRACE"
    static let coresWanted = "DURABLE_WORKER_CORES"
    static let backtrace = "SWIFT_BACKTRACE"

    static let backtraceOff = "enable=no"
    // Never waits: by default the runtime would ask a terminal what to do, for up to thirty seconds.
    static let backtraceBounded =
        "enable=yes,interactive=no,color=no,timeout=0s,threads=crashed,output-to=stderr"
}

extension SpawnConfiguration {
    /// Refuses what execve would cut short or misread.
    func validate() throws(ProcessError) {
        func refuse(_ message: String) -> ProcessError { ProcessError(code: .invalidConfiguration, message: message) }
        guard !arguments.isEmpty else { throw refuse("a process needs at least its own name as an argument") }
        guard !arguments.contains(where: { $0.utf8.contains(0) }) else { throw refuse("an argument contains NUL") }
        for (name, value) in environment {
            guard !name.isEmpty, !name.utf8.contains(UInt8(ascii: "=")), !name.utf8.contains(0) else {
                throw refuse("'\(name)' cannot name an environment variable")
            }
            guard !value.utf8.contains(0) else { throw refuse("environment variable \(name) contains NUL") }
        }
        guard role == nil || controlSocket != nil else { throw refuse("a role needs a control socket") }
    }

    /// Builds the child's environment from the inherited one; both are `NAME=value` in bytes, which need not be UTF-8.
    func childEnvironment(inherited: [[UInt8]]) -> [[UInt8]] {
        var overrides = environment
        let wantsBacktrace = wants(SpawnVariable.backtraceWanted, inherited)
        // A supervisor starts the workers, so the wishes have to reach it.
        overrides[SpawnVariable.backtraceWanted] = wantsBacktrace ? "yes" : nil
        overrides[SpawnVariable.coresWanted] = wantsCores(inherited: inherited) ? "yes" : nil
        overrides[SpawnVariable.backtrace] =
            wantsBacktrace ? SpawnVariable.backtraceBounded : SpawnVariable.backtraceOff
        overrides[SpawnVariable.role] = role?.rawValue
        overrides[SpawnVariable.control] = role == nil ? nil : String(DURABLE_CHILD_CONTROL_FD)

        let replaced = Set(overrides.keys.map { Array($0.utf8) })
        let ownPrefix = Array(SpawnVariable.ownPrefix.utf8)
        let kept = inherited.filter { !$0.starts(with: ownPrefix) && !replaced.contains(Self.name(of: $0)) }
        return kept + overrides.sorted { $0.key < $1.key }.map { Array("\($0.key)=\($0.value)".utf8) }
    }

    /// Whether the child may write core dumps, which hold all of its memory, as far as this process may.
    func wantsCores(inherited: [[UInt8]]) -> Bool { wants(SpawnVariable.coresWanted, inherited) }

    private func wants(_ name: String, _ inherited: [[UInt8]]) -> Bool {
        if let given = environment[name] { return given == "yes" }
        return inherited.first { Self.name(of: $0) == Array(name.utf8) } == Array("\(name)=yes".utf8)
    }

    private static func name(of entry: [UInt8]) -> [UInt8] {
        Array(entry.prefix { $0 != UInt8(ascii: "=") })
    }

    /// This process's environment, entry by entry.
    static func currentEnvironment() -> [[UInt8]] {
        guard let first = durable_environment() else { return [] }
        var entries: [[UInt8]] = []
        var next = first
        while let entry = next.pointee {
            entries.append([UInt8](UnsafeRawBufferPointer(start: entry, count: strlen(entry))))
            next += 1
        }
        return entries
    }
}
