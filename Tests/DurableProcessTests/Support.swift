import DurableProcess
import Glibc
import Testing

/// Swift Testing has a type of this name too.
typealias ExitStatus = DurableProcess.ExitStatus

/// The program whose role entry plays the scenarios; it is built beside the test bundle.
func testChild() throws -> ExecutableImage {
    let bundle = try ExecutableImage.current().path
    let directory = bundle[..<(bundle.lastIndex(of: "/") ?? bundle.startIndex)]
    return try .open(path: "\(directory)/ProcessTestChild")
}

func shell(_ script: String, _ arguments: String...) throws -> SpawnConfiguration {
    SpawnConfiguration(image: try .open(path: "/bin/sh"), arguments: ["sh", "-c", script, "sh"] + arguments)
}

func sleeper() throws -> SpawnConfiguration {
    SpawnConfiguration(image: try .open(path: "/bin/sleep"), arguments: ["sleep", "1000"])
}

/// Waits for the end, kills what does not come to one, and returns the status.
func status(of process: ProcessHandle) -> ExitStatus? {
    if !process.waitUntilEnded(for: .seconds(20)) {
        Issue.record("process \(process.pid) did not end in time")
        process.kill()
    }
    return process.waitUntilEnded(for: .seconds(20)) ? process.reap() : nil
}

/// Reads until the other side is closed, or until the text ends as told.
func read(from descriptor: Int32, until ending: String? = nil) -> String {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while ending.map({ !String(decoding: bytes, as: UTF8.self).hasSuffix($0) }) ?? true {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&entry, 1, 20_000) > 0 else {
            Issue.record("nothing to read in time; so far: \(String(decoding: bytes, as: UTF8.self))")
            break
        }
        let count = Glibc.read(descriptor, &chunk, chunk.count)
        guard count > 0 else { break }
        bytes += chunk[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
}

/// Plays a scenario of the test child to its end and returns the lines that it reported.
func play(
    _ scenario: String...,
    role: SpawnConfiguration.Role = .worker,
    environment: [String: String] = [:]
) throws -> (lines: [String], status: ExitStatus?) {
    let image = try testChild()
    var pair = try SocketPair()
    var configuration = SpawnConfiguration(image: image, arguments: [image.path] + scenario)
    configuration.role = role
    configuration.environment = environment
    configuration.controlSocket = pair.remote
    let child = try ProcessHandle.spawn(configuration)
    close(pair.takeRemote())
    let report = read(from: pair.local)
    return (report.split(separator: "\n").map(String.init), status(of: child))
}

/// Runs a configuration to its end and returns what it wrote to standard output.
func output(of configuration: SpawnConfiguration) throws -> (text: String, status: ExitStatus?) {
    var pair = try SocketPair()
    var configuration = configuration
    configuration.standardOutput = pair.remote
    let child = try ProcessHandle.spawn(configuration)
    close(pair.takeRemote())
    let text = read(from: pair.local)
    return (text, status(of: child))
}

func eventually(_ condition: () -> Bool) -> Bool {
    let clock = ContinuousClock()
    let deadline = clock.now + .seconds(20)
    while !condition() {
        if clock.now > deadline { return false }
        poll(nil, 0, 1)
    }
    return true
}

/// A directory of the test's own, removed at its end.
final class TemporaryDirectory {
    let path: String

    init() throws {
        var template = Array("/tmp/durable-process-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        for name in ["stderr", "program", "other"] { unlink("\(path)/\(name)") }
        rmdir(path)
    }
}
