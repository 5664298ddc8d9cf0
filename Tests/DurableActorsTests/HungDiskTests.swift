import DurableActors
import Foundation
import Glibc
import Testing

/// A worker that hangs in the kernel goes on living after SIGKILL until its disk goes on.
@Suite(.serialized, .timeLimit(.minutes(2))) struct HungDiskTests {
    // Without stored state nothing but the supervisor's patience keeps two lives apart.
    @Test(arguments: [Durability.none, .disk])
    func `the next life begins when the one before is gone, however long its end takes`(
        durability: Durability
    ) async throws {
        let disk = try HangingDisk()
        try await ActorRuntime.withRuntime { runtime in
            var options = ActorOptions.resilient
            options.durability = durability
            let counter = try await runtime.spawn(Counter.self, options: options)
            let old = try await counter.processID()
            try disk.hang()
            let hanging = counter.submit { try await $0.addDying(1, times: 0, log: disk.file("log")) }
            try await eventually("the worker hangs in the kernel") {
                Processes.states(of: old)
            } is: {
                $0.contains("D")
            }
            let killing = Task { try await runtime.kill(counter, noRestart: false) }
            try await eventually("the worker is killed") {
                Processes.isBeingKilled(old)
            } is: {
                $0
            }
            // The time in which a next life would have begun many times over.
            let end = ContinuousClock.now + .milliseconds(300)
            var isReplaced = false
            while ContinuousClock.now < end, !isReplaced {
                isReplaced = try await runtime.actors().contains { $0.id == counter.id && $0.processID != old }
                try await ContinuousClock().sleep(for: .milliseconds(5))
            }
            #expect(Processes.states(of: old).contains("D"), "it still hangs")
            #expect(!isReplaced, "nobody is in its place")
            try disk.goOn()
            try await killing.value
            #expect(try await hanging.value == 1)
            #expect(try await counter.processID() != old)
            #expect(!Processes.isAlive(old))
        }
    }
}

/// A small file system on which every write waits while it hangs, so that no signal ends who writes.
private final class HangingDisk: Sendable {
    private let scratch = ScratchDirectory()
    private let descriptor: Int32

    init() throws {
        let canMount = geteuid() == 0 && access("/dev/loop-control", F_OK) == 0
        try #require(canMount, "this test needs root and loop devices: it mounts a small file system")
        try Self.run("truncate", "-s", "16M", scratch.file("image"))
        try Self.run("mkfs.ext4", "-q", scratch.file("image"))
        #expect(mkdir(scratch.file("mount"), 0o700) == 0)
        try Self.run("mount", "-o", "loop", scratch.file("image"), scratch.file("mount"))
        descriptor = open(scratch.file("mount"), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    }

    deinit {
        // It goes on already, unless the test failed before.
        _ = ioctl(descriptor, UInt(0xC004_5878), 0)
        close(descriptor)
        try? Self.run("umount", "-l", scratch.file("mount"))  // what is left goes with the machine
    }

    func file(_ name: String) -> String { scratch.file("mount/\(name)") }

    /// FIFREEZE.
    func hang() throws { try #require(ioctl(descriptor, UInt(0xC004_5877), 0) == 0) }

    /// FITHAW.
    func goOn() throws { try #require(ioctl(descriptor, UInt(0xC004_5878), 0) == 0) }

    private static func run(_ arguments: String...) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "\(arguments) failed")
    }
}

extension Processes {
    /// Whether SIGKILL has been sent to a process that has not ended.
    fileprivate static func isBeingKilled(_ pid: Int32) -> Bool {
        let status = (try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)) ?? ""
        return status.split(separator: "\n").contains { line in
            guard line.hasPrefix("SigPnd:") || line.hasPrefix("ShdPnd:") else { return false }
            let signals = UInt64(line.split(separator: "\t").last ?? "", radix: 16) ?? 0
            return signals & 1 << UInt64(SIGKILL - 1) != 0
        }
    }
}
