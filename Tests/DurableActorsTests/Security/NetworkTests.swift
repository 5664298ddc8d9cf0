import Foundation
import Testing

/// No process of a runtime makes a socket that could be reached from another machine. The kernel reports each attempt.
@Suite(.serialized, .timeLimit(.minutes(3))) struct NetworkTests {
    private func guarded(_ words: [String]) async throws -> (program: Program, report: String) {
        let scratch = ScratchDirectory()
        let guardian = try Program.built("NetworkGuard")
        let program = try await Program.run([guardian, scratch.file("report")] + words)
        return (program, try String(contentsOfFile: scratch.file("report"), encoding: .utf8))
    }

    @Test func `driver, supervisor, workers and task workers make Unix sockets only`() async throws {
        let scratch = ScratchDirectory()
        let driver = try Program.built("ActorTestDriver")
        let (program, report) = try await guarded([driver, "everything", "22", scratch.file("data")])
        #expect(program.code == 0, "\(program.errors)")
        #expect(program.output.hasPrefix(scratch.path), "it came to its end")
        #expect(report == "")
    }

    @Test(arguments: [
        ["demo", "--actors", "2", "--kills", "5", "--seed", "1"],
        ["bench", "calls", "--rounds", "1", "--calls", "50", "--payloads", "16B,2MiB"],
    ])
    func `so do the tool's demonstration and benchmarks`(arguments: [String]) async throws {
        let (program, report) = try await guarded([try Program.built("durable")] + arguments)
        #expect(program.code == 0, "\(program.errors)")
        #expect(report == "")
    }

    @Test func `an attempt is reported and refused, also in a descendant`() async throws {
        let attempt = """
            import os, socket
            socket.socketpair()
            if os.fork() == 0:
                for family in (socket.AF_INET, socket.AF_INET6):
                    try: socket.socket(family)
                    except PermissionError: print('refused', flush=True)
                os._exit(0)
            os.wait()
            """
        let (program, report) = try await guarded(["python3", "-c", attempt])
        #expect(program.output == "refused\nrefused\n", "\(program.errors)")
        #expect(report.split(separator: "\n").map { $0.suffix(9) } == [" family 2", "family 10"])
    }

    @Test func `sockets have a path, with a mode, and no abstract name, which has none`() async throws {
        let scratch = ScratchDirectory()
        let driver = try TestProcess(["everything", "22", scratch.file("data")], errors: scratch.file("errors"))
        defer { driver.end() }
        let listening = try String(contentsOfFile: "/proc/net/unix", encoding: .utf8).split(separator: "\n")
        #expect(listening.contains { $0.hasSuffix("\(scratch.path)/data/supervisor/socket") })
        #expect(listening.filter { $0.contains("@") && $0.contains("durable") } == [])
    }
}
