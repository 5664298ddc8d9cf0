import ArgumentParser
import CBOR
import DurableActors
import DurableCore
import DurableProcess
import DurableSupervisor
import Glibc

/// What became of a trial.
struct PointOutcome: Sendable, Codable {
    /// How often each point was passed until the scenario was over, by its name.
    var passages: [String: Int] = [:]
    /// Whether the fault was met.
    var hasStruck = false
    /// Why nobody took the place of the worker that stood still, when that is as it has to be.
    var pause: String?
    var calls = 0
    var acknowledged = 0
    /// What did not hold.
    var problems: [String] = []
    /// Why nothing can be said of it.
    var unknown: String?
}

extension PointRun {
    /// How long a trial may take.
    static let patience: Duration = .seconds(30)

    /// Runs the trial in a process of its own, so that nothing that stands still there outlasts its time.
    func apart() async -> PointOutcome {
        do {
            let folder = try KillFolder("points")
            defer { folder.remove() }
            return try await apart(folder)
        } catch {
            return PointOutcome(unknown: "the trial could not be made: \(error)")
        }
    }

    private func apart(_ folder: KillFolder) async throws -> PointOutcome {
        try PointFile.write(self, to: "\(folder.path)/trial")
        let log = open("\(folder.path)/log", O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0o600)
        guard log >= 0 else { throw LaneError("no log in \(folder.path): errno \(errno)") }
        defer { close(log) }
        let process = try FreshProcess.start(["point-trial", folder.path], error: log)
        let isOver = await isReached(within: Self.patience) { !process.isAlive }
        let processes = isOver ? "" : folder.description
        process.kill()
        // Nothing outlives a trial.
        try await folder.killEverything()
        var status = process.reap()
        while status == nil {
            try await Task.sleep(for: .milliseconds(1))
            status = process.reap()
        }
        if isOver, let outcome: PointOutcome = PointFile.read("\(folder.path)/outcome") { return outcome }
        let said = text(of: "\(folder.path)/log").split(separator: "\n").suffix(3).joined(separator: "; ")
        let title = isOver ? "ended with \(status.map { "\($0)" } ?? "nothing")" : "takes longer than \(Self.patience)"
        return PointOutcome(unknown: "\(title); last words: \(said); \(processes)")
    }
}

extension KillFolder: CustomStringConvertible {
    /// Who is there, and does what.
    var description: String {
        let all = processes().map { process in
            let part = ProcessTable.part(of: process.pid, in: data)
            return "\(part) \(process.pid)\(ProcessTable.isStopped(process.pid) ? " (stopped)" : "")"
        }
        return "processes: \(all.joined(separator: ", "))"
    }
}

/// Values that one process leaves in a file for another.
private enum PointFile {
    static func write(_ value: some Encodable, to path: String) throws {
        let bytes = try CBOREncoder().encode(value)
        let file = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw LaneError("\(path) cannot be made: errno \(errno)") }
        defer { close(file) }
        guard Glibc.write(file, bytes, bytes.count) == bytes.count else {
            throw LaneError("\(path) cannot be written: errno \(errno)")
        }
    }

    /// Nothing when nobody has written it, or not all of it.
    static func read<Value: Decodable>(_ path: String) -> Value? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while case let count = Glibc.read(file, &buffer, buffer.count), count > 0 { bytes += buffer[..<count] }
        return try? CBORDecoder().decode(Value.self, from: bytes)
    }
}

/// One trial of directed kill points; not for people.
struct PointTrial: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "point-trial", shouldDisplay: false)

    @Argument var directory: String

    func run() async throws {
        guard let run: PointRun = PointFile.read("\(directory)/trial") else {
            throw LaneError("there is no trial in \(directory)")
        }
        try PointFile.write(await run.perform(in: KillFolder(at: directory)), to: "\(directory)/outcome")
    }
}
