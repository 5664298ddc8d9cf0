import DurableActors
import DurableCore
import DurableSupervisor
import Glibc
import Testing

/// Processes with much memory: the kernel takes it apart while the next life works already.
@Suite(.serialized) struct LargeMemoryTests {
    @Test(arguments: [Durability.disk, .process])
    func `a process with much memory is killed with many calls in flight, and each is applied once, in order`(
        durability: Durability
    ) async throws {
        try await ActorRuntime.withRuntime { runtime in
            var options = ActorOptions.resilient
            options.durability = durability
            let hoard = try await runtime.spawn(Hoard.self, Hoard.Size(mebibytes: 192), options: options)
            #expect(try await hoard.append(0) == 1)
            let refs = (1...600).map { number in hoard.submit { try await $0.append(number) } }
            for position in stride(from: 0, to: 600, by: 120) {
                #expect(try await refs[position].value == position + 2)
                kill(try await runtime.process(of: hoard), SIGKILL)
            }
            for (position, ref) in refs.enumerated() { #expect(try await ref.value == position + 2) }
            #expect(try await hoard.list() == Array(0...600))
        }
    }

    @Test(arguments: [FaultPoint.workerInsideCommit, .workerAfterCommit, .workerBeforeReply])
    func `a process with much memory dies inside of a commit, and the next life goes on from what it left`(
        point: FaultPoint
    ) async throws {
        var configuration = RuntimeConfiguration()
        configuration.faults = (1...3).map {
            FaultSpecification(point, occurrence: 2, incarnation: Incarnation($0), action: .kill)
        }
        try await ActorRuntime.withRuntime(configuration: configuration) { runtime in
            let hoard = try await runtime.spawn(Hoard.self, Hoard.Size(mebibytes: 192), options: .resilient)
            let refs = (0..<40).map { number in hoard.submit { try await $0.append(number) } }
            for (position, ref) in refs.enumerated() { #expect(try await ref.value == position + 1) }
            for number in 40..<50 { #expect(try await hoard.append(number) == number + 1) }
            #expect(try await hoard.list() == Array(0..<50))
            #expect(try await runtime.summary(of: hoard).restarts >= 3, "the faults struck")
        }
    }

    @Test func `what holds a worker's memory has no file open, and ends after it, stopped or not`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let hoard = try await runtime.spawn(Hoard.self, Hoard.Size(mebibytes: 1), options: .resilient)
            #expect(try await hoard.append(0) == 1)
            let worker = try await runtime.process(of: hoard)
            let holders = Processes.children(of: worker).map(\.pid)
            let holder = try #require(holders.first)
            #expect(holders.count == 1)
            try await eventually("it has only open what tells it of the worker's end") {
                let directory = "/proc/\(holder)/fd"
                return RuntimeDirectory.entries(of: directory).map { Self.target(ofLink: "\(directory)/\($0)") }
            } is: {
                $0 == ["anon_inode:[pidfd]"]
            }
            kill(holder, SIGSTOP)
            kill(worker, SIGKILL)
            #expect(try await hoard.append(1) == 2)
            try await eventually("worker and holder are gone") {
                [worker, holder].filter { Processes.state(of: $0) != nil }
            } is: {
                $0.isEmpty
            }
        }
    }

    private static func target(ofLink path: String) -> String {
        String(unsafeUninitializedCapacity: 256) { bytes in
            bytes.withMemoryRebound(to: CChar.self) { max(0, readlink(path, $0.baseAddress!, $0.count)) }
        }
    }
}

/// Keeps numbers, in a process that has much memory in use.
distributed actor Hoard: DurableActor {
    struct Size: Codable, Sendable {
        var mebibytes: Int
    }

    @Checkpointed var numbers: [Int] = []
    private let ballast: [UInt8]

    init(_ size: Size, actorSystem: ActorRuntime) async throws {
        self.actorSystem = actorSystem
        // Not zero: pages that hold something.
        ballast = [UInt8](repeating: 1, count: size.mebibytes << 20)
    }

    distributed func append(_ number: Int) -> Int {
        numbers.append(number)
        return numbers.count
    }

    distributed func list() -> [Int] { numbers }
}
