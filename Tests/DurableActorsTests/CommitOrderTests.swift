import DurableActors
import DurableCore
import Glibc
import Testing

/// Nothing that a turn saw leaves the worker before it is durable, whatever ends the commit.
///
/// A change and what depends on it reach a stopped worker together, so that one batch runs both; whether it did is
/// seen from the notes. A batch can end early, so each scenario is repeated until it came about.
@Suite(.serialized) struct CommitOrderTests {
    private static let roundsMax = 40

    @Test(arguments: [FaultPoint.workerBeforeCommit, .workerInsideCommit])
    func `a read that saw a change is not answered when the worker is killed before the commit`(
        point: FaultPoint
    ) async throws {
        let scratch = ScratchDirectory()
        var configuration = RuntimeConfiguration()
        configuration.faults = (1...Incarnation(Self.roundsMax)).map { life in
            // The first life's first transaction stores the constructor's state.
            let occurrence = point == .workerInsideCommit && life == 1 ? 3 : 2
            return FaultSpecification(point, occurrence: occurrence, incarnation: life, action: .kill)
        }
        try await ActorRuntime.withRuntime(configuration: configuration) { runtime in
            let log = scratch.file("log")
            let witness = try await runtime.spawn(Witness.self, Witness.Setup(log: log), options: .resilient)
            var wasSeen = false
            var round = 0
            while !wasSeen, round < Self.roundsMax - 1 {
                round += 1
                #expect(try await witness.add(1) == round)
                let (changer, reader) = (try RawCaller(runtime, shard: 1), try RawCaller(runtime, shard: 1))
                for caller in [changer, reader] {
                    #expect(try await caller.send(caller.frame(1, to: witness, "look", 0)).outcome.number == round)
                }
                let pid = try await witness.processID()
                try await stopped(pid) {
                    changer.post(try changer.frame(2, to: witness, "add", 1000))
                    reader.post(try reader.frame(2, to: witness, "look", round))
                }
                let change = try? await changer.reply(to: 2).outcome
                #expect(change == nil, "the change was never committed")
                let read = try? await reader.reply(to: 2).outcome
                #expect(read == nil, "the read was answered with \(read?.number ?? -1)")
                #expect(try await witness.look(0) == round, "what was not committed is gone")
                wasSeen = Notes.lines(of: log).contains("look \(round) saw \(round + 1000)")
            }
            #expect(wasSeen, "no batch ran both turns in \(round) rounds")
        }
    }

    @Test func `a read that saw a change fails with it when the commit fails`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime(directory: scratch.file("data")) { runtime in
            let log = scratch.file("log")
            let witness = try await runtime.spawn(Witness.self, Witness.Setup(log: log), options: .resilient)
            let (changer, reader) = (try RawCaller(runtime, shard: 1), try RawCaller(runtime, shard: 1))
            let pid = try await witness.processID()
            var wasSeen = false
            var round: UInt64 = 0
            while !wasSeen, round < Self.roundsMax {
                round += 1
                for caller in [changer, reader] {
                    let warm = try caller.frame(2 * round - 1, to: witness, "look", 0)
                    #expect(try await caller.send(warm).outcome.number == 0)
                }
                let sequence = 2 * round
                let frozen = try FrozenFile("\(scratch.file("data"))/shards/1/data.mdb")
                try await stopped(pid) {
                    changer.post(try changer.frame(sequence, to: witness, "add", 1000))
                    reader.post(try reader.frame(sequence, to: witness, "look", Int(round)))
                }
                let change = try await changer.reply(to: sequence).outcome
                #expect(change.error?.code == .storageFailed)
                frozen.thaw()
                let read = try await reader.reply(to: sequence).outcome
                wasSeen = Notes.lines(of: log).contains("look \(round) saw 1000")
                // A read that ran before the change fails as well when one batch ran both.
                let isTrue = read.number == 0 && !wasSeen
                #expect(isTrue || read.error?.code == .storageFailed, "the read was answered with \(read)")
            }
            #expect(wasSeen, "no batch ran both turns in \(round) rounds")
            #expect(try await witness.look(0) == 0)
            #expect(try await witness.processID() == pid, "the worker goes on")
        }
    }

    @Test func `a turn cannot call another actor after a change that it saw could not be stored`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime(directory: scratch.file("data")) { runtime in
            let log = scratch.file("log")
            let peer = try await runtime.spawn(Counter.self)
            let witness = try await runtime.spawn(
                Witness.self,
                Witness.Setup(log: log, peer: peer),
                options: .resilient
            )
            let caller = try RawCaller(runtime, shard: 2)
            let pid = try await witness.processID()
            var wasSeen = false
            var (round, told) = (0, 0)
            while !wasSeen, round < Self.roundsMax {
                round += 1
                let sequence = UInt64(3 * round)
                #expect(
                    try await caller.send(caller.frame(sequence - 2, to: witness, "forward", 0)).outcome.number == told
                )
                let frozen = try FrozenFile("\(scratch.file("data"))/shards/2/data.mdb")
                try await stopped(pid) {
                    caller.post(try caller.frame(sequence - 1, to: witness, "add", 1000))
                    caller.post(try caller.frame(sequence, to: witness, "forward", round))
                }
                #expect(try await caller.reply(to: sequence - 1).outcome.error?.code == .storageFailed)
                frozen.thaw()
                let outcome = try await caller.reply(to: sequence).outcome
                let lines = Notes.lines(of: log)
                wasSeen = lines.contains("forward \(round) saw 1000")
                if wasSeen {
                    #expect(outcome.error?.code == .storageFailed, "\(outcome)")
                    try await eventually("the turn itself gets the error, perhaps after its caller") {
                        Notes.lines(of: log)
                    } is: {
                        $0.contains("forward \(round) failed with storageFailed")
                    }
                } else {
                    told += round
                    #expect(outcome.number == told)
                }
                #expect(try await peer.read() == told, "the other actor knows of a change that is lost")
            }
            #expect(wasSeen, "no batch ran both turns in \(round) rounds")
            #expect(try await witness.look(0) == 0)
        }
    }

    @Test func `calls that arrive while an actor is built again run afterwards, in their order`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime(directory: scratch.file("data")) { runtime in
            let (log, hold) = (scratch.file("log"), scratch.file("hold"))
            let setup = Witness.Setup(log: log, hold: hold)
            let witness = try await runtime.spawn(Witness.self, setup, options: .resilient)
            let pid = try await witness.processID()
            let caller = try RawCaller(runtime, shard: 1)
            let first = try await caller.send(caller.frame(1, to: witness, "append", 1))
            #expect(first.outcome.number == 1)

            // The commit fails, and so does opening the shard again: these calls are parked.
            let frozen = try FrozenFile("\(scratch.file("data"))/shards/1/data.mdb")
            let lost = try await caller.send(caller.frame(2, to: witness, "append", -1))
            #expect(lost.outcome.error?.code == .storageFailed)
            try await eventually("the shard is closed") {
                Processes.hasOpen("data.mdb", pid)
            } is: {
                !$0
            }
            for number in 3...20 { caller.post(try caller.frame(UInt64(number), to: witness, "append", number)) }
            try await arrived(caller, 1001)

            // The shard is open again, the constructor runs and waits: these come after those.
            Notes.write("", to: hold)
            frozen.thaw()
            try await eventually("the constructor runs again") {
                Notes.lines(of: log).count { $0 == "constructing" }
            } is: {
                $0 == 2
            }
            for number in 21...40 { caller.post(try caller.frame(UInt64(number), to: witness, "append", number)) }
            try await arrived(caller, 1002)
            unlink(hold)

            var counts: [Int?] = []
            for number in 3...40 { counts.append(try await caller.reply(to: UInt64(number)).outcome.number) }
            #expect(counts == Array(2...39))
            #expect(try await witness.list() == [1] + Array(3...40))
            #expect(try await witness.processID() == pid, "the same process goes on")
        }
    }

    @Test func `after the shard was opened again, greetings and replies carry its new epoch`() async throws {
        let scratch = ScratchDirectory()
        try await ActorRuntime.withRuntime(directory: scratch.file("data")) { runtime in
            let setup = Witness.Setup(log: scratch.file("log"))
            let witness = try await runtime.spawn(Witness.self, setup, options: .resilient)
            let old = try RawCaller(runtime, shard: 1)
            let before = try await old.send(old.frame(1, to: witness, "add", 1))
            #expect(old.greeting?.epoch == before.epoch)
            let frozen = try FrozenFile("\(scratch.file("data"))/shards/1/data.mdb")
            #expect(try await old.send(old.frame(2, to: witness, "add", 1)).outcome.error?.code == .storageFailed)
            frozen.thaw()
            let after = try await old.send(old.frame(3, to: witness, "add", 1))
            #expect(after.outcome.number == 2)
            #expect(after.epoch > before.epoch)
            let new = try RawCaller(runtime, shard: 1)
            let reply = try await new.send(new.frame(1, to: witness, "look", 0))
            #expect(reply.epoch == after.epoch)
            #expect(new.greeting?.epoch == after.epoch, "a caller that saw the new epoch refuses an older greeting")
            #expect(try await witness.add(1) == 3)
        }
    }

    /// Stops a process, does what the process is to find when it goes on, and continues it.
    private func stopped(_ pid: Int32, _ body: () throws -> Void) async throws {
        kill(pid, SIGSTOP)
        defer { kill(pid, SIGCONT) }
        try await eventually("process \(pid) is stopped") {
            Processes.isStopped(pid)
        } is: {
            $0
        }
        try body()
    }

    /// Waits until everything that a caller has sent has arrived: the worker refuses calls to other actors at once.
    private func arrived(_ caller: RawCaller, _ sequence: UInt64) async throws {
        let stranger = CallFrame(
            actor: ActorID(high: 0, low: 0),
            id: CallID(session: caller.session, sequence: sequence),
            firstIncomplete: 1,
            method: "",
            arguments: []
        )
        #expect(try await caller.send(stranger).outcome.error?.code == .died)
    }
}

/// A file that nobody can change, not even through descriptors that are open already, until it is thawed.
final class FrozenFile {
    private let path: String

    init(_ path: String) throws {
        self.path = path
        let message = "this test needs root, and immutable files on the file system of \(path)"
        try #require(Self.setImmutable(true, path), "\(message)")
    }

    deinit { thaw() }

    func thaw() { _ = Self.setImmutable(false, path) }

    private static func setImmutable(_ isImmutable: Bool, _ path: String) -> Bool {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return false }
        defer { close(file) }
        let (getFlags, setFlags, immutable): (UInt, UInt, Int) = (0x8008_6601, 0x4008_6602, 0x10)
        var flags = 0
        guard ioctl(file, getFlags, &flags) == 0 else { return false }
        flags = isImmutable ? flags | immutable : flags & ~immutable
        return ioctl(file, setFlags, &flags) == 0
    }
}
