import DurableActors
import Foundation
import Glibc

/// Notes in a file what its turns see, so that a test knows it also when no reply leaves.
distributed actor Witness: DurableActor {
    struct Setup: Codable, Sendable {
        /// The file with the notes.
        var log: String
        /// The constructor waits while a file of this name exists.
        var hold = ""
        /// Who is called by `forward`.
        var peer: Counter?
    }

    @Checkpointed var value = 0
    @Checkpointed var numbers: [Int] = []
    private let setup: Setup

    init(_ setup: Setup, actorSystem: ActorRuntime) async throws {
        self.actorSystem = actorSystem
        self.setup = setup
        Notes.write("constructing", to: setup.log)
        while access(setup.hold, F_OK) == 0 { try await Task.sleep(for: .milliseconds(2)) }
    }

    distributed func add(_ amount: Int) -> Int {
        value += amount
        return value
    }

    /// Changes nothing.
    distributed func look(_ round: Int) -> Int {
        Notes.write("look \(round) saw \(value)", to: setup.log)
        return value
    }

    distributed func append(_ number: Int) -> Int {
        numbers.append(number)
        return numbers.count
    }

    distributed func list() -> [Int] { numbers }

    distributed func forward(_ amount: Int) async throws -> Int {
        Notes.write("forward \(amount) saw \(value)", to: setup.log)
        guard let peer = setup.peer else { return 0 }
        do {
            return try await peer.add(amount)
        } catch let error as ActorError {
            Notes.write("forward \(amount) failed with \(error.code)", to: setup.log)
            throw error
        }
    }

    distributed func processID() -> Int32 { getpid() }
}

/// Lines in a file that outlive the process that wrote them.
enum Notes {
    static func write(_ line: String, to path: String) {
        let file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        defer { close(file) }
        _ = "\(line)\n".withCString { Glibc.write(file, $0, strlen($0)) }
    }

    static func lines(of path: String) -> [String] {
        // A file that is not there yet has no lines.
        ((try? String(contentsOfFile: path, encoding: .utf8)) ?? "").split(separator: "\n").map(String.init)
    }
}
