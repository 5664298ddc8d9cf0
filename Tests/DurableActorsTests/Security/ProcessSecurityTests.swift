import CBOR
import DurableActors
import DurableCore
import DurableSupervisor
import Foundation
import Glibc
import Testing

/// What processes show of themselves to others, and give to programs that they start.
@Suite(.serialized, .timeLimit(.minutes(2))) struct ProcessSecurityTests {
    private static let secret = "tulip-7f3a91"

    /// The supervisor and all that it has started.
    private func processes(_ runtime: ActorRuntime) throws -> [Int32] {
        let supervisor = try #require(runtime.supervisorProcessID)
        return [supervisor] + Processes.children(of: supervisor).map(\.pid).filter(Processes.isAlive)
    }

    @Test func `names, arguments and state are in no command line, environment or name of a thread`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let named = Self.secret + "-name"
            let vault = try await runtime.getOrCreate(Vault.self, name: named, Self.secret, options: .resilient)
            _ = try await vault.keep(Self.secret)
            let shared = try await runtime.spawn(Vault.self, Self.secret, options: .resilient.shared(named))
            _ = try await shared.keep(Self.secret)
            let processes = try processes(runtime)
            #expect(processes.count >= 3)
            for pid in processes {
                var files = ["cmdline", "environ", "comm"].map { "/proc/\(pid)/\($0)" }
                files += RuntimeDirectory.entries(of: "/proc/\(pid)/task").map { "/proc/\(pid)/task/\($0)/comm" }
                for file in files {
                    // A thread may have ended.
                    guard let bytes = FileManager.default.contents(atPath: file) else { continue }
                    #expect(bytes.range(of: Data(Self.secret.utf8)) == nil, "\(file)")
                }
                let arguments = try #require(FileManager.default.contents(atPath: "/proc/\(pid)/cmdline"))
                #expect(arguments.split(separator: 0).count == 1, "a process of the runtime has no arguments")
            }
            try await runtime.kill(vault)
        }
    }

    @Test func `arguments are in no error of a call that cannot read them, and not in what is known of a death`()
        async throws
    {
        try await ActorRuntime.withRuntime { runtime in
            let vault = try await runtime.spawn(Vault.self, "", options: .resilient)
            _ = try await vault.keep(Self.secret)
            let shard = try await runtime.spawn(Counter.self)
            #expect(try await shard.add(1) == 1)
            let caller = try RawCaller(runtime, shard: 2)
            let reply = try await caller.send(try caller.frame(1, to: shard, "add", text: Self.secret))
            let error = try #require(reply.outcome.error)
            #expect(error.code == .serialization)
            #expect(!"\(error) \(error.message) \(error.cause ?? "")".contains(Self.secret))
            kill(try await vault.processID(), SIGKILL)
            _ = try await vault.keep("")
            let layout = RuntimeLayout(directory: runtime.directory)
            let registry = try Data(contentsOf: URL(fileURLWithPath: "\(layout.supervisor)/data.mdb"))
            #expect(registry.range(of: Data(Self.secret.utf8)) == nil)
            let log = FileManager.default.contents(atPath: "\(layout.supervisor)/log") ?? Data()
            #expect(log.range(of: Data(Self.secret.utf8)) == nil)
        }
    }

    @Test func `a program that an actor starts inherits no descriptor and no role`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let vault = try await runtime.spawn(Vault.self, "", options: .resilient)
            let shared = try await runtime.spawn(Vault.self, "", options: .resilient.shared("group"))
            let load = try runtime.put([UInt8](repeating: 1, count: 1 << 20))
            for actor in [vault, shared] {
                _ = try await actor.keep("x")
                _ = try await actor.weigh(load)
                let lines = try await actor.child()
                #expect(lines.filter { !$0.hasPrefix("DURABLE_WORKER_") } == [])
            }
        }
    }

    @Test func `a program that the driver starts inherits nothing of the runtime`() async throws {
        let before = try ChildReport.lines()
        try await ActorRuntime.withRuntime { runtime in
            let vault = try await runtime.spawn(Vault.self, "", options: .resilient)
            _ = try await vault.weigh(try runtime.put([UInt8](repeating: 1, count: 1 << 20)))
            #expect(try ChildReport.lines() == before)
        }
    }

    @Test(arguments: ["worker", "supervisor"])
    func `a program started with the variables of a role and nothing else says so and does nothing`(role: String)
        async throws
    {
        let scratch = ScratchDirectory()
        let driver = try Program.built("ActorTestDriver")
        for (control, words) in [(nil, "without DURABLE_CONTROL_FD"), ("3", "is not"), ("0", "is no descriptor")] {
            var environment = ["DURABLE_ROLE": role]
            environment["DURABLE_CONTROL_FD"] = control
            let program = try await Program.run(
                [driver, scratch.file("data"), "owned", "1"],
                environment: environment
            )
            #expect(program.code == 78)
            #expect(program.output == "")
            #expect(program.errors.hasPrefix("durable: ") && program.errors.contains(words), "\(program.errors)")
        }
        #expect(RuntimeDirectory.entries(of: scratch.path) == [], "nothing was made")
        // Without a role the descriptor's variable means nothing.
        let program = try await Program.run(
            [driver, scratch.file("data"), "owned", "1"],
            environment: ["DURABLE_CONTROL_FD": "3"]
        )
        #expect(program.code == 0 && program.output.hasPrefix("1 "), "\(program.errors)")
    }

    @Test(arguments: [SIGSEGV, SIGABRT, SIGQUIT])
    func `a crash writes no memory to the disk`(signal: Int32) async throws {
        try await ActorRuntime.withRuntime { runtime in
            let vault = try await runtime.spawn(Vault.self, Self.secret, options: .resilient)
            let pid = try await vault.processID()
            for process in try processes(runtime) {
                let limits = try String(contentsOfFile: "/proc/\(process)/limits", encoding: .utf8)
                let core = try #require(limits.split(separator: "\n").first { $0.hasPrefix("Max core file size") })
                let words = core.split(separator: " ").dropFirst(4).prefix(2)
                #expect(words == ["0", "0"], "process \(process), which cannot raise it again")
            }
            let folder = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/cwd")
            kill(pid, signal)
            #expect(try await vault.keep("") == Self.secret.utf8.count)
            let cores = RuntimeDirectory.entries(of: folder).filter { $0 == "core" || $0 == "core.\(pid)" }
            #expect(cores == [], "in \(folder)")
        }
    }
}

extension RawCaller {
    /// A call whose argument is a text where the method takes a number.
    func frame(
        _ sequence: UInt64,
        to actor: some DurableActor,
        _ method: String,
        text: String
    ) throws -> CallFrame {
        var frame = try frame(sequence, to: actor, method, 0)
        frame.arguments = [try CBOREncoder().encode(text)]
        return frame
    }
}
