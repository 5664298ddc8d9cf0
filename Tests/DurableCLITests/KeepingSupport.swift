import DurableActors
import DurableSupervisor
import Foundation
import Glibc
import Testing

/// A directory that goes with the test.
final class KeepingFolder {
    let path: String

    init() throws {
        var template = Array("/tmp/durable-keep-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { RuntimeDirectory.remove(path) }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    /// What is in the folder, leftovers included.
    var names: [String] { RuntimeDirectory.entries(of: path).sorted() }
}

/// The tool as its users run it.
struct KeepingTool {
    var output: String
    var errors: String
    var code: Int32

    /// Where the tool is.
    private static func executable() throws -> URL {
        let executable = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return URL(fileURLWithPath: executable).deletingLastPathComponent().appendingPathComponent("durable")
    }

    /// Starts the tool; what it says is lost.
    static func start(_ arguments: String...) throws -> Process {
        let process = Process()
        process.executableURL = try executable()
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        return process
    }

    /// Runs the tool to its end.
    static func run(_ arguments: String..., shell prefix: String? = nil) async throws -> KeepingTool {
        try await run(arguments, shell: prefix)
    }

    /// Runs the tool to its end.
    static func run(_ arguments: [String], shell prefix: String? = nil) async throws -> KeepingTool {
        let tool = try executable()
        let process = Process()
        if let prefix {
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments = ["-c", "\(prefix); exec \"$0\" \"$@\"", tool.path] + arguments
        } else {
            process.executableURL = tool
            process.arguments = arguments
        }
        let (output, errors) = (Pipe(), Pipe())
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        // On a thread of its own: the tool's end may take as long as it likes.
        return await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                let said = output.fileHandleForReading.readDataToEndOfFile()
                let complained = errors.fileHandleForReading.readDataToEndOfFile()
                process.waitUntilExit()
                let tool = KeepingTool(
                    output: String(decoding: said, as: UTF8.self),
                    errors: String(decoding: complained, as: UTF8.self),
                    code: process.terminationStatus
                )
                continuation.resume(returning: tool)
            }
        }
    }
}

/// Holds an amount.
distributed actor Account: DurableActor {
    @Checkpointed var amount = 0
    @Checkpointed var entries = CheckpointedDictionary<String, Int>()
    @Checkpointed var text = ""

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func add(_ change: Int) -> Int {
        amount += change
        entries["\(amount % 10)"] = amount
        return amount
    }

    distributed func write(_ bytes: Int) { text = String(repeating: "t", count: bytes) }

    distributed func read() -> [Int] { [amount, entries.count, text.utf8.count] }
}

/// Ends everything that a runtime's directory has running, and waits for it.
func endAll(_ runtime: ActorRuntime) async throws {
    let supervisor = try #require(runtime.supervisorProcessID)
    let workers = try await runtime.actors().compactMap(\.processID)
    await runtime.shutdown()
    for pid in [supervisor] + workers { kill(pid, SIGKILL) }
    let deadline = ContinuousClock.now + .seconds(10)
    for pid in [supervisor] + workers {
        while kill(pid, 0) == 0, !isZombie(pid) {
            try #require(ContinuousClock.now < deadline, "process \(pid) does not end")
            try await ContinuousClock().sleep(for: .milliseconds(2))
        }
    }
}

private func isZombie(_ pid: Int32) -> Bool {
    guard let status = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8) else { return true }
    return status.contains(") Z ") || status.contains(") X ")
}
