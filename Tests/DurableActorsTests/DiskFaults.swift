import DurableActors
import DurableSupervisor
import Foundation
import Glibc

/// Makes the disk of a runtime's processes fail: the runtime is started by a process that preloads a library into all
/// that follow, and tests join it as further drivers.
final class DiskFaults {
    /// What fails.
    enum Operation: String { case data, meta, sync, any, none }

    /// How it fails.
    enum Outcome: CustomStringConvertible {
        /// With an error number, and nothing is done.
        case error(Int32)
        /// Half of it is done.
        case short
        /// All of it is done, and it says that it failed.
        case doneAndError(Int32)

        var number: Int32 {
            switch self {
            case .error(let number): number
            case .short: 0
            case .doneAndError(let number): -number
            }
        }

        var description: String {
            switch self {
            case .error(let number): String(cString: strerror(number))
            case .short: "half done"
            case .doneAndError(let number): "done, and \(String(cString: strerror(number)))"
            }
        }
    }

    let directory: String
    /// Every write and sync of shards' files since the start.
    let record: String
    private let control: String
    private let holder: TestProcess
    private var number = 0
    /// Seconds that processes see the wall clock ahead.
    var clockOffset = 0 { didSet { arm(.none, .short) } }

    init(_ scratch: ScratchDirectory, snapshotInterval: Duration = .seconds(60), recording: Bool = false) throws {
        directory = scratch.file("data")
        control = scratch.file("control")
        record = scratch.file("record")
        try Data("0 none 0 1 0 0\n".utf8).write(to: URL(fileURLWithPath: control))
        let executable = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let products = URL(fileURLWithPath: executable).deletingLastPathComponent()
        holder = try TestProcess(
            ["hold", directory, "\(Int(snapshotInterval / .milliseconds(1)))"],
            environment: [
                "LD_PRELOAD": products.appendingPathComponent("libDiskFaultShim.so").path,
                "DISK_FAULT_CONTROL": control,
                "DISK_FAULT_DIRECTORY": directory,
            ].merging(recording ? ["DISK_FAULT_RECORD": record] : [:]) { $1 }
        )
        precondition(holder.line == "ready", "the runtime did not start: \(holder.line)")
    }

    /// How many faults there have been.
    var count: Int { Attempts.count(in: control + ".log") }

    /// From now on, operation number `first` and those behind it fail, `count` in all, in each process by itself.
    func arm(_ operation: Operation, _ outcome: Outcome, first: Int = 1, count: Int = 1, isRegistry: Bool = false) {
        number += 1
        let meant = isRegistry ? "registry" : "shards"
        let line = "\(number) \(operation.rawValue) \(outcome.number) \(first) \(count) \(clockOffset) \(meant)\n"
        let file = open(control + ".new", O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        precondition(write(file, line, line.utf8.count) == line.utf8.count)
        close(file)
        precondition(rename(control + ".new", control) == 0)
    }

    func disarm() { arm(.none, .short) }

    /// Leaves the runtime, which ends with its last driver.
    func end() { holder.end() }
}
