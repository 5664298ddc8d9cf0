import Glibc
import Testing

@testable import DurableProcess

@Suite("The environment of a child")
struct EnvironmentTests {
    private func environment(
        inherited: [String],
        _ change: (inout SpawnConfiguration) -> Void = { _ in }
    ) throws -> [String] {
        var configuration = try sleeper()
        change(&configuration)
        return configuration.childEnvironment(inherited: inherited.map { Array($0.utf8) })
            .map { String(decoding: $0, as: UTF8.self) }.sorted()
    }

    @Test("own variables are not inherited, others are, and overrides win")
    func inheritance() throws {
        let inherited = ["DURABLE_ROLE=worker", "DURABLE_X=1", "HOME=/root", "LANG=C", "SWIFT_BACKTRACE=enable=yes"]
        #expect(
            try environment(inherited: inherited) { $0.environment = ["LANG": "de", "DURABLE_Y": "2"] }
                == ["DURABLE_Y=2", "HOME=/root", "LANG=de", "SWIFT_BACKTRACE=enable=no"]
        )
    }

    @Test("a role and its descriptor are set together or not at all")
    func roleVariables() throws {
        #expect(
            try environment(inherited: []) { $0.role = .supervisor }
                == ["DURABLE_CONTROL_FD=3", "DURABLE_ROLE=supervisor", "SWIFT_BACKTRACE=enable=no"]
        )
        #expect(
            try environment(inherited: []) { $0.environment = ["DURABLE_ROLE": "worker", "DURABLE_CONTROL_FD": "3"] }
                == ["SWIFT_BACKTRACE=enable=no"]
        )
    }

    @Test("a wanted backtrace never waits, and the wish reaches the child's own children")
    func backtrace() throws {
        let bounded = [
            "DURABLE_WORKER_BACKTRACE=yes",
            "SWIFT_BACKTRACE=enable=yes,interactive=no,color=no,timeout=0s,threads=crashed,output-to=stderr",
        ]
        #expect(try environment(inherited: ["DURABLE_WORKER_BACKTRACE=yes"]) == bounded)
        #expect(try environment(inherited: []) { $0.environment = ["DURABLE_WORKER_BACKTRACE": "yes"] } == bounded)
        #expect(try environment(inherited: ["DURABLE_WORKER_BACKTRACE=no"]) == ["SWIFT_BACKTRACE=enable=no"])
    }

    @Test("core dumps are a wish like that: off unless it is said, and then as this process may")
    func cores() throws {
        let off = "SWIFT_BACKTRACE=enable=no"
        #expect(try environment(inherited: ["DURABLE_WORKER_CORES=yes"]) == ["DURABLE_WORKER_CORES=yes", off])
        for text in ["DURABLE_WORKER_CORES=no", "DURABLE_WORKER_CORES", "DURABLE_WORKER_CORES=", "WORKER_CORES=yes"] {
            let variables = try environment(inherited: [text]).filter { $0.hasPrefix("DURABLE") }
            #expect(variables == [])
        }
        var own = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &own)
        var before = own
        defer { setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &before) }
        own.rlim_cur = min(8192, own.rlim_max)
        setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &own)
        var configuration = try shell("grep '^Max core' /proc/self/limits | tr -s ' ' | cut -d' ' -f5")
        #expect(try output(of: configuration).text == "0\n")
        configuration.environment = ["DURABLE_WORKER_CORES": "yes"]
        #expect(try output(of: configuration).text == "\(own.rlim_cur)\n")
    }

    @Test("bytes that are not text pass through unchanged")
    func rawBytes() throws {
        let raw: [UInt8] = Array("RAW=".utf8) + [0xFF, 0xC3, 0x28]
        #expect(try sleeper().childEnvironment(inherited: [raw]).contains(raw))
    }

    @Test("the real environment arrives")
    func realEnvironment() throws {
        var configuration = try shell("echo \"$GREETING $SWIFT_BACKTRACE\"")
        configuration.environment = ["GREETING": "grüß dich"]
        #expect(try output(of: configuration).text == "grüß dich enable=no\n")
    }
}
