import DurableCore
import DurableLMDB
import DurableStore
import Foundation
import Testing

/// A directory of its own for one test, removed at the end.
final class Folder {
    let path: String

    init() throws {
        path = "\(NSTemporaryDirectory())shard-test-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)  // a leftover in the temporary directory harms nobody
    }

    /// Where the shard of the test goes.
    var shard: String { path + "/shard" }
}

/// A second process that does one thing to a shard.
enum Child {
    /// Runs `StoreTestChild` to its end and returns what it said and how it ended.
    static func run(_ command: String, _ directory: String) throws -> (lines: [String], status: Int32, isSignal: Bool) {
        let (process, output) = try start(command, directory)
        let said = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let lines = String(decoding: said, as: UTF8.self).split(separator: "\n").map(String.init)
        return (lines, process.terminationStatus, process.terminationReason == .uncaughtSignal)
    }

    /// Runs it and kills it after a while. False when it had ended before.
    static func isKilled(_ command: String, _ directory: String, afterMicroseconds delay: UInt32) throws -> Bool {
        let (process, _) = try start(command, directory)
        // Any moment will do; nothing waits for this to have an effect.
        usleep(delay)
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        return process.terminationReason == .uncaughtSignal
    }

    /// Starts it and returns it with its output.
    static func start(
        _ command: String,
        _ directory: String,
        input: Pipe? = nil
    ) throws -> (process: Process, output: Pipe) {
        let folder = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        let bundle = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        let places = [folder, bundle].map { $0.appendingPathComponent("StoreTestChild") }
        let executable = try #require(places.first { FileManager.default.isExecutableFile(atPath: $0.path) })
        let process = Process()
        let output = Pipe()
        process.executableURL = executable
        process.arguments = [command, directory]
        process.standardOutput = output
        if let input { process.standardInput = input }
        try process.run()
        return (process, output)
    }
}

/// The raw rows of a shard that nobody has open, as the format's document names them.
struct RawShard {
    let directory: String

    private func open() throws -> Environment {
        let format = StoreFormat(name: "durable-shard", version: 1)
        let databases = ["meta", "actors", "state", "entries", "done", "discarded", "history", "keyed"]
        let options = EnvironmentOptions(format: format, databases: databases)
        return try Environment.open(directory: directory, options: options)
    }

    func rows(of database: String) throws -> [[UInt8]: [UInt8]] {
        let environment = try open()
        defer { environment.close() }
        let entries = try environment.tryRead { try $0.entries(prefix: [], in: environment.database(database)) }
        return Dictionary(uniqueKeysWithValues: entries.map { (Array($0.key), Array($0.value)) })
    }

    func put(_ key: [UInt8], _ value: [UInt8], in database: String) throws {
        let environment = try open()
        defer { environment.close() }
        try environment.tryWrite { try $0.put(key, value, in: environment.database(database)) }
    }
}

/// An actor, a session and write sets of them.
enum Sample {
    static let actor = ActorID(high: 1, low: 2)
    static let session = SessionID(high: 3, low: 4)
    static let record = StoredActor(type: "T", typeName: "1T", name: "name")

    static func call(_ sequence: UInt64, _ session: SessionID = session) -> CallID {
        CallID(session: session, sequence: sequence)
    }

    static func completion(_ id: CallID, below: UInt64 = 0, value: UInt8 = 0) -> Completion {
        Completion(id: id, firstIncomplete: below, fingerprint: 7, outcome: .returned([value]))
    }

    static func set(
        _ fields: [String: [UInt8]],
        of actor: ActorID = actor,
        _ completion: Completion? = nil
    ) -> WriteSet {
        let changes = fields.sorted { $0.key < $1.key }.map { WriteSet.Change.property($0.key, .value($0.value)) }
        return WriteSet(actor: actor, changes: changes, completion: completion)
    }
}

/// Opens and claims a shard, and closes it whatever the body does.
func withShard<Result>(
    _ directory: String,
    _ durability: Durability = .process,
    _ body: (ShardStore, Epoch) throws -> Result
) throws -> Result {
    let store = try ShardStore.open(directory: directory, durability: durability)
    defer { store.close() }
    let epoch = try store.claim(pid: 1, incarnation: 1)
    return try body(store, epoch)
}

/// The error that a body must end with.
func storeError(_ body: () throws -> Void) -> StoreError? {
    do {
        try body()
        return nil
    } catch {
        return error as? StoreError
    }
}

extension [String: StoredField] {
    /// The properties that are stored whole.
    var values: [String: [UInt8]] {
        compactMapValues { field in
            if case .value(let bytes) = field.property { bytes } else { nil }
        }
    }
}
