import DurableActors
import Foundation
import Glibc

/// Keeps what nobody else should see, and starts a process.
distributed actor Vault: DurableActor {
    @Checkpointed var secret = ""

    init(_ secret: String, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
        self.secret = secret
    }

    distributed func keep(_ more: String) -> Int {
        secret += more
        return secret.utf8.count
    }

    distributed func weigh(_ load: ObjectRef<[UInt8]>) async throws -> Int { try await load.value.count }

    distributed func processID() -> Int32 { getpid() }

    /// What a program that this actor starts has open, and its variables of the framework's.
    distributed func child() throws -> [String] { try ChildReport.lines() }

    /// Fails with a text of the caller's.
    distributed func fail(_ text: String) throws { throw Refusal(reason: text) }
}

/// What a program finds that is started in the plainest way, without anything being closed for it.
enum ChildReport {
    /// The descriptors above stderr with what they lead to, and the framework's variables.
    static func lines() throws -> [String] {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw Refusal(reason: "no pipe: \(errno)") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(ends[0]) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        // Nothing but `ls` runs beside the shell, which has opened nothing itself.
        let script = "ls -l /proc/$$/fd; env"
        let texts: [String] = ["sh", "-c", script]
        var words: [UnsafeMutablePointer<CChar>?] = texts.map { strdup($0) } + [nil]
        var variables: [UnsafeMutablePointer<CChar>?] =
            ProcessInfo.processInfo.environment.map { strdup("\($0)=\($1)") } + [nil]
        defer { for word in words + variables { free(word) } }
        var pid: Int32 = 0
        let error = posix_spawn(&pid, "/bin/sh", &actions, nil, &words, &variables)
        close(ends[1])
        guard error == 0 else { throw Refusal(reason: "no process: \(error)") }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(ends[0], &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        waitpid(pid, nil, 0)
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        let descriptors = lines.compactMap { line -> String? in
            let parts = line.components(separatedBy: " -> ")
            guard parts.count == 2, let number = parts[0].split(separator: " ").last.flatMap({ Int($0) }) else {
                return nil
            }
            return number > 2 ? "fd \(parts[1])" : nil
        }
        return descriptors + lines.filter { $0.hasPrefix("DURABLE_") }.map(String.init)
    }
}
