import DurableActors
import DurableSupervisor
import Foundation
import Glibc
import Testing

/// A directory that goes with the test.
final class ScratchDirectory: Sendable {
    let path: String

    init() {
        var template = Array("/tmp/durable-test-XXXXXX".utf8CString)
        precondition(mkdtemp(&template) != nil)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { RuntimeDirectory.remove(path) }

    func file(_ name: String) -> String { "\(path)/\(name)" }
}

/// Waits for a condition, up to ten seconds; records the last value seen when it does not come true.
func eventually<Value>(
    _ what: String,
    _ value: () async throws -> Value,
    is condition: (Value) -> Bool,
    sourceLocation: SourceLocation = #_sourceLocation
) async throws {
    let deadline = ContinuousClock.now + .seconds(10)
    var last = try await value()
    while !condition(last) {
        guard ContinuousClock.now < deadline else {
            Issue.record("\(what) did not come about; last seen: \(last)", sourceLocation: sourceLocation)
            return
        }
        try await ContinuousClock().sleep(for: .milliseconds(2))
        last = try await value()
    }
}

/// What the kernel says of processes.
enum Processes {
    /// Whether a process exists and has not ended.
    static func isAlive(_ pid: Int32) -> Bool {
        guard let state = state(of: pid) else { return false }
        return state != "Z" && state != "X"
    }

    static func state(of pid: Int32) -> Character? { fields(of: pid)?.first?.first }

    /// The states of a process's threads.
    static func states(of pid: Int32) -> Set<String> {
        Set(
            RuntimeDirectory.entries(of: "/proc/\(pid)/task").compactMap { task in
                fields(at: "/proc/\(pid)/task/\(task)/stat")?.first.map(String.init)
            }
        )
    }

    /// Whether every thread of a process has stopped; threads stop one after the other.
    static func isStopped(_ pid: Int32) -> Bool {
        let tasks = RuntimeDirectory.entries(of: "/proc/\(pid)/task")
        return !tasks.isEmpty && tasks.allSatisfy { fields(at: "/proc/\(pid)/task/\($0)/stat")?.first == "T" }
    }

    /// The children of a process, with their states.
    static func children(of parent: Int32) -> [(pid: Int32, state: Character)] {
        RuntimeDirectory.entries(of: "/proc").compactMap { name in
            guard let pid = Int32(name), let fields = fields(of: pid), fields.count > 1 else { return nil }
            guard Int32(fields[1]) == parent, let state = fields[0].first else { return nil }
            return (pid, state)
        }
    }

    /// How many descriptors a process has open.
    static func descriptors(of pid: Int32) -> Int { RuntimeDirectory.entries(of: "/proc/\(pid)/fd").count }

    /// Whether a process has a file of this name open.
    static func hasOpen(_ name: String, _ pid: Int32) -> Bool {
        RuntimeDirectory.entries(of: "/proc/\(pid)/fd").contains { number in
            let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/fd/\(number)")
            return target?.hasSuffix("/\(name)") == true
        }
    }

    /// How many threads a process has.
    static func threads(of pid: Int32) -> Int { RuntimeDirectory.entries(of: "/proc/\(pid)/task").count }

    /// The fields of `/proc/<pid>/stat` behind the name: state, parent, and so on.
    private static func fields(of pid: Int32) -> [Substring]? { fields(at: "/proc/\(pid)/stat") }

    private static func fields(at path: String) -> [Substring]? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var buffer = [CChar](repeating: 0, count: 1024)
        guard fgets(&buffer, 1024, file) != nil else { return nil }
        let text = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return text.lastIndex(of: ")").map { text[text.index($0, offsetBy: 2)...].split(separator: " ") }
    }
}

extension ActorRuntime {
    /// The process that hosts an actor now; waits for one when it is just being given to a worker.
    func process(of actor: some DurableActor) async throws -> Int32 {
        var process: Int32?
        try await eventually("\(actor.id) has a process") {
            process = try await actors().first { $0.id == actor.id }?.processID
            return process
        } is: {
            $0 != nil
        }
        return try #require(process)
    }

    /// What the registry says of an actor.
    func summary(of actor: some DurableActor) async throws -> ActorSummary {
        try #require(try await actors().first { $0.id == actor.id })
    }
}

/// The error of a call that is expected to fail with one of the framework's.
func failure(_ body: () async throws -> Void) async -> ActorError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? ActorError
    }
}
