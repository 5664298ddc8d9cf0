import Foundation
import Glibc
import Testing

/// The test driver as a process of its own, up to the one line that it prints.
final class TestProcess {
    let pid: Int32
    let line: String
    private let process = Process()
    private let input = Pipe()

    /// - Parameters:
    ///   - group: The `cgroup.procs` file of the control group that the process and its children belong to.
    ///   - environment: Variables that are set beside those of this process.
    ///   - errors: The file that gets its stderr; this process's own without.
    init(
        _ arguments: [String],
        group: String? = nil,
        environment: [String: String] = [:],
        errors: String? = nil
    ) throws {
        if let errors {
            let file = open(errors, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
            try #require(file >= 0)
            process.standardError = FileHandle(fileDescriptor: file, closeOnDealloc: true)
        }
        let executable = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let products = URL(fileURLWithPath: executable).deletingLastPathComponent()
        let program = products.appendingPathComponent("ActorTestDriver")
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        if let group {
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments =
                ["-c", "echo -1000 > /proc/$$/oom_score_adj; echo $$ > \"$0\" && exec \"$@\"", group, program.path]
                + arguments
        } else {
            process.executableURL = program
            process.arguments = arguments
        }
        let output = Pipe()
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        pid = process.processIdentifier
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        while Glibc.read(output.fileHandleForReading.fileDescriptor, &byte, 1) == 1, byte != 10 { bytes.append(byte) }
        line = String(decoding: bytes, as: UTF8.self)
    }

    /// Waits for the process, which was killed or reads the end of its input.
    func end() {
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
    }
}

/// A driver with one counter, in a process of its own.
struct TestDriver {
    let value: Int
    let worker: Int32
    let supervisor: Int32
    private let process: TestProcess

    init(_ directory: String, _ lifetime: String, additions: Int, graceMilliseconds: Int = 10_000) throws {
        process = try TestProcess([directory, lifetime, String(additions), String(graceMilliseconds)])
        let numbers = process.line.split(separator: " ").compactMap { Int($0) }
        try #require(numbers.count == 3, "the driver said: \(process.line)")
        value = numbers[0]
        worker = Int32(numbers[1])
        supervisor = Int32(numbers[2])
    }

    var pid: Int32 { process.pid }

    func end() { process.end() }

    func killEverything() {
        for child in Processes.children(of: supervisor) { kill(child.pid, SIGKILL) }
        kill(supervisor, SIGKILL)
        kill(pid, SIGKILL)
        end()
    }
}
