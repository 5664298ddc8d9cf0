import Glibc
import Testing

@testable import DurableProcess

@Suite("The role constructor")
struct RoleTests {
    /// Starts the test child from a shell, with whatever the script makes of the role variables.
    private func run(_ script: String, descriptor3: Int32? = nil) throws -> (text: String, status: ExitStatus?) {
        var configuration = try shell("exec 2>&1; " + script, try testChild().path)
        configuration.controlSocket = descriptor3
        return try output(of: configuration)
    }

    private func expectRefused(
        _ script: String,
        descriptor3: Int32? = nil,
        saying words: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let (text, status) = try run(script, descriptor3: descriptor3)
        #expect(status == .exited(code: 78), sourceLocation: sourceLocation)
        #expect(text.hasPrefix("durable: "), "\(text)", sourceLocation: sourceLocation)
        #expect(text.contains(words), "\(text)", sourceLocation: sourceLocation)
        #expect(text.filter { $0 == "\n" }.count == 1, "one line: \(text)", sourceLocation: sourceLocation)
    }

    @Test("without the variable the program is itself")
    func noRole() throws {
        #expect(try run("exec \"$1\"").text == "main ran\n")
        #expect(try run("DURABLE_CONTROL_FD=3 exec \"$1\"").text == "main ran\n")
    }

    @Test("a role without a valid descriptor is an error and never a role")
    func invalidDescriptor() throws {
        try expectRefused("DURABLE_ROLE=worker exec \"$1\" runtime", saying: "without DURABLE_CONTROL_FD")
        for text in ["", "x", "-1", "3x", "0", "2", "99999999999999999999", " 3", "4294967299"] {
            try expectRefused("DURABLE_ROLE=worker DURABLE_CONTROL_FD='\(text)' exec \"$1\"", saying: "no descriptor")
        }
        try expectRefused("DURABLE_ROLE=worker DURABLE_CONTROL_FD=3 exec \"$1\"", saying: "not open")
        try expectRefused("DURABLE_ROLE=worker DURABLE_CONTROL_FD=2147483647 exec \"$1\"", saying: "descriptor")
        try expectRefused(
            "DURABLE_ROLE=worker DURABLE_CONTROL_FD=3 exec \"$1\" 3</dev/null",
            saying: "not a Unix socket"
        )
        let internet = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        defer { close(internet) }
        try expectRefused(
            "DURABLE_ROLE=worker DURABLE_CONTROL_FD=3 exec \"$1\"",
            descriptor3: internet,
            saying: "not a Unix socket"
        )
    }

    @Test("an unknown role is an error", arguments: ["", "Worker", "driver", "worker "])
    func unknownRole(role: String) throws {
        let pair = try SocketPair()
        try expectRefused(
            "DURABLE_ROLE='\(role)' DURABLE_CONTROL_FD=3 exec \"$1\"",
            descriptor3: pair.remote,
            saying: "no role"
        )
    }

    @Test("an entry that returns ends the process with its own code, before main")
    func returningEntry() throws {
        let pair = try SocketPair()
        let (text, status) = try run(
            "DURABLE_ROLE=worker DURABLE_CONTROL_FD=3 exec \"$1\" return",
            descriptor3: pair.remote
        )
        #expect(status == .exited(code: 70))
        #expect(text == "durable: the role entry point returned\n")
    }

    @Test("Swift works in full inside the entry: names, conformances, coding, tasks, actors, locks")
    func swiftRuntime() throws {
        let (lines, status) = try play("runtime")
        #expect(
            lines == [
                "type by name true", "conformance hello", "generic cast a box that says hello", "codable true",
                "mirror [\"text\", \"count\"]", "actor 10", "tasks 100", "global lazily initialised", "done",
            ]
        )
        #expect(status == .exited(code: 0))
    }
}
