import Foundation
import Glibc
import Testing

/// A program that was run to its end, and what it wrote.
struct Program {
    /// The code that it exited with; negative for the signal that ended it.
    var code: Int32
    var output: String
    var errors: String

    /// A program that was built beside the tests.
    static func built(_ name: String) throws -> String {
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let path = URL(fileURLWithPath: tests).deletingLastPathComponent().appendingPathComponent(name).path
        try #require(access(path, X_OK) == 0, "\(path) was not built")
        return path
    }

    /// Runs a program with an empty standard input; it is found as the shell finds it.
    static func run(_ words: [String], environment: [String: String] = [:]) async throws -> Program {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let (output, errors) = (Pipe(), Pipe())
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        // On a thread of its own: the end may take as long as it likes.
        return await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                let said = output.fileHandleForReading.readDataToEndOfFile()
                let complained = errors.fileHandleForReading.readDataToEndOfFile()
                process.waitUntilExit()
                let isExit = process.terminationReason == .exit
                continuation.resume(
                    returning: Program(
                        code: isExit ? process.terminationStatus : -process.terminationStatus,
                        output: String(decoding: said, as: UTF8.self),
                        errors: String(decoding: complained, as: UTF8.self)
                    )
                )
            }
        }
    }
}

/// What is known about files without opening them.
enum FileModes {
    /// The paths below a directory, and the directory, that others than the owner can do something with; with modes.
    static func loose(in directory: String) throws -> [String] {
        try all(in: directory).filter { $0.mode & 0o077 != 0 }.map { "\($0.path) \(String($0.mode, radix: 8))" }
    }

    /// What has another mode than 700 for directories and 600 for everything else.
    static func unusual(in directory: String) throws -> [String] {
        try all(in: directory).filter { $0.mode != ($0.isDirectory ? 0o700 : 0o600) }
            .map { "\($0.path) \(String($0.mode, radix: 8))" }
    }

    static func all(in directory: String) throws -> [(path: String, mode: UInt32, isDirectory: Bool)] {
        try ([""] + FileManager.default.subpathsOfDirectory(atPath: directory)).compactMap { name in
            let path = name.isEmpty ? directory : "\(directory)/\(name)"
            var status = stat()
            // What was removed meanwhile has no mode.
            guard lstat(path, &status) == 0 else { return nil }
            return (path, status.st_mode & 0o7777, status.st_mode & S_IFMT == S_IFDIR)
        }
    }
}
