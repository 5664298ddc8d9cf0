import DurableActors
import DurableSupervisor
import Foundation
import Glibc
import Testing

/// A supervisor that has no descriptors left for a while.
@Suite(.serialized, .timeLimit(.minutes(2))) struct ShortageTests {
    @Test(arguments: [false, true])
    func `an actor whose next life cannot be started for want of descriptors waits, and loses nothing`(
        isDetached: Bool
    ) async throws {
        let scratch = ScratchDirectory()
        var configuration = RuntimeConfiguration()
        configuration.warmSpares = 0
        try await ActorRuntime.withRuntime(directory: scratch.file("data"), configuration: configuration) { runtime in
            let options = isDetached ? ActorOptions.resilient.detached(name: "counter") : .resilient
            let counter = try await runtime.spawn(Counter.self, options: options)
            #expect(try await counter.add(1) == 1)
            let (worker, supervisor) = (try await counter.processID(), try #require(runtime.supervisorProcessID))
            try limit("nofile", of: supervisor, to: "3")
            kill(worker, SIGKILL)
            let ref = counter.submit { try await $0.add(1) }
            let log = URL(fileURLWithPath: "\(RuntimeLayout(directory: runtime.directory).supervisor)/log")
            try await eventually("two attempts have failed") {
                try String(contentsOf: log, encoding: .utf8).split(separator: "Too many open files").count - 1
            } is: {
                $0 >= 2
            }
            // Who has not lived yet has nothing to lose, and somebody to tell.
            let other = try await runtime.spawn(Counter.self, options: .resilient)
            let error = await failure { _ = try await other.add(1) }
            #expect(error?.code == .died)
            #expect(error?.message.contains("Too many open files") == true, "\(String(describing: error))")
            #expect(error?.actor == other.id)
            try limit("nofile", of: supervisor, to: "1024")
            #expect(try await ref.value == 2)
            #expect(try await runtime.summary(of: counter).restarts == 1)
            try await runtime.kill(counter)
        }
    }

    @Test func `an actor whose next workers die as they start waits, and loses nothing`() async throws {
        let scratch = ScratchDirectory()
        var configuration = RuntimeConfiguration()
        configuration.warmSpares = 0
        try await ActorRuntime.withRuntime(directory: scratch.file("data"), configuration: configuration) { runtime in
            let counter = try await runtime.spawn(Counter.self, options: .resilient)
            #expect(try await counter.add(1) == 1)
            let (worker, supervisor) = (try await counter.processID(), try #require(runtime.supervisorProcessID))
            // No program gets to its main with such a stack; the supervisor has its own already.
            try limit("stack", of: supervisor, to: "16384")
            kill(worker, SIGKILL)
            let ref = counter.submit { try await $0.add(1) }
            // More than enough for a program that cannot start at all.
            let log = URL(fileURLWithPath: "\(RuntimeLayout(directory: runtime.directory).supervisor)/log")
            try await eventually("no worker has got ready for long") {
                try String(contentsOf: log, encoding: .utf8)
            } is: {
                $0.contains("gets ready")
            }
            try limit("stack", of: supervisor, to: "8388608")
            #expect(try await ref.value == 2)
            #expect(runtime.supervisorProcessID == supervisor)
            try await runtime.kill(counter)
        }
    }

    private func limit(_ resource: String, of pid: Int32, to limit: String) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["prlimit", "--pid", "\(pid)", "--\(resource)=\(limit):"]
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "prlimit failed")
    }
}
