import ArgumentParser
import DurableActors
import Glibc
import Synchronization

/// Keeps a runtime whose processes have the failing disk preloaded, for the lane's own use.
struct DiskHolder: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "disk-holder", shouldDisplay: false)

    @Argument var directory: String

    func run() async throws {
        var configuration = RuntimeConfiguration()
        // So that faults meet snapshots as well.
        configuration.snapshotInterval = .milliseconds(50)
        let runtime = try await ActorRuntime.start(directory: directory, configuration: configuration)
        print("ready")
        fflush(nil)
        while readLine() != nil {}
        await runtime.shutdown()
    }
}

/// A runtime with a disk that can be made to fail.
final class FailingDisk: Sendable {
    /// What fails.
    struct Fault: Sendable, Hashable {
        /// `data`, `meta`, `sync` or `any`, as the preloaded library knows them.
        var operation: String
        /// A number of errno, 0 for half a write; below 0 it is done, and says that it failed.
        var outcome: Int32
        var isLate = false
        var isRegistry = false

        var name: String {
            let how =
                switch outcome {
                case _ where isLate: "late"
                case 0: "half done"
                case EIO: "EIO"
                case ENOSPC: "ENOSPC"
                case EINTR: "EINTR"
                case -EIO: "done, and EIO"
                default: "errno \(outcome)"
                }
            return "\(isRegistry ? "registry" : "shard") \(operation), \(how)"
        }
    }

    let directory: String
    private let control: String
    private let holder: LaneChild
    private let number = Mutex(0)

    init(_ scratch: TrialDirectory) async throws {
        directory = scratch.file("data")
        control = scratch.file("control")
        var buffer = [CChar](repeating: 0, count: 4096)
        let length = readlink("/proc/self/exe", &buffer, 4095)
        let program = String(decoding: buffer[..<max(0, length)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let library = program.split(separator: "/").dropLast().map { "/\($0)" }.joined() + "/libDiskFaultShim.so"
        guard access(library, R_OK) == 0 else {
            throw LaneError(
                "there is no \(library); build it with `swift build --product DiskFaultShim`, with the same -c"
            )
        }
        try Self.write("0 none 0 1 0 0\n", to: control)
        holder = try LaneChild(
            ["disk-holder", directory],
            environment: ["LD_PRELOAD": library, "DISK_FAULT_CONTROL": control, "DISK_FAULT_DIRECTORY": directory]
        )
        guard await holder.line() == "ready" else { throw LaneError("the runtime with the failing disk did not start") }
    }

    /// How many faults there have been.
    var count: Int {
        var status = stat()
        return stat(control + ".log", &status) == 0 ? Int(status.st_size) : 0
    }

    /// From now on, operation number `first` and those behind it fail, `count` in all, in each process by itself.
    func arm(_ fault: Fault, first: Int = 1, count: Int, milliseconds: Int = 0) throws {
        let number = number.withLock { number in
            number += 1
            return number
        }
        let file = fault.isRegistry ? "registry" : "shards"
        let line = "\(number) \(fault.operation) \(fault.outcome) \(first) \(count) 0 \(file) \(milliseconds)\n"
        try Self.write(line, to: control)
    }

    func disarm() throws { try arm(Fault(operation: "none", outcome: 0), count: 0) }

    func end() async {
        try? disarm()
        holder.finish()
        await holder.reap()
    }

    /// Readers see the old line or the new one.
    private static func write(_ line: String, to path: String) throws {
        let file = open(path + ".new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        defer { close(file) }
        guard file >= 0, Glibc.write(file, line, line.utf8.count) == line.utf8.count, rename(path + ".new", path) == 0
        else { throw LaneError("\(path) cannot be written: \(String(cString: strerror(errno)))") }
    }
}
