import DurableActors
import DurableCore
import DurableSupervisor
import Foundation
import Glibc
import Testing

/// Actors that are restarted too often, and how long restarts wait.
@Suite(.serialized, .timeLimit(.minutes(2))) struct RestartIntensityTests {
    private func options(_ restarts: Int) -> ActorOptions {
        var options = ActorOptions.resilient
        options.restartIntensity = RestartIntensity(restarts: restarts, within: .seconds(3600))
        return options
    }

    private func newSupervisor(after old: Int32, of runtime: ActorRuntime) async throws {
        kill(old, SIGKILL)
        try await eventually("a new supervisor") {
            runtime.supervisorProcessID
        } is: {
            $0 != nil && $0 != old
        }
    }

    private func newestCause(in runtime: ActorRuntime) throws -> DeathCause? {
        let registry = try RegistryStore(RuntimeLayout(directory: runtime.directory), readOnly: true)
        defer { registry.close() }
        return try registry.ledger(newest: 1).first?.cause
    }

    @Test(arguments: [false, true])
    func `an actor that dies once more than its intensity allows ends, also under another supervisor, and says why`(
        isReplaced: Bool
    ) async throws {
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self, options: options(3))
            for expected in 1...3 {
                #expect(try await counter.add(1) == expected)
                kill(try await counter.processID(), SIGKILL)
            }
            #expect(try await counter.add(1) == 4)
            let last = try await runtime.process(of: counter)
            if isReplaced {
                try await newSupervisor(after: try #require(runtime.supervisorProcessID), of: runtime)
                #expect(try await runtime.process(of: counter) == last)
            }
            kill(last, SIGKILL)
            let error = await failure { _ = try await counter.add(1) }
            #expect(error?.code == .died)
            let reason = "restarted too often: 3 times within 3600.0 seconds, as often as its restartIntensity allows"
            #expect(error?.message.contains(reason) == true, "\(String(describing: error))")
            try await eventually("the ledger says so") {
                try newestCause(in: runtime)
            } is: {
                $0.map { "\($0)".contains(reason) && (isReplaced || "\($0)".contains("signal 9")) } == true
            }
        }
    }

    @Test func `an actor of a group that is restarted too often ends alone`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let scratch = ScratchDirectory()
            let fragile = try await runtime.spawn(
                Recorder.self,
                Recorder.Setup(log: scratch.file("log")),
                options: options(2).shared("group")
            )
            let other = try await runtime.spawn(Counter.self, options: .resilient.shared("group"))
            #expect(try await other.add(1) == 1)
            var outcomes: [ActorError.Code?] = []
            for round in 1...2 {
                outcomes.append(
                    await failure { _ = try await fragile.stepDying(round, times: round == 1 ? 1 : 4) }?.code
                )
            }
            #expect(outcomes == [nil, .died])
            #expect(try await other.add(1) == 2)
        }
    }

    @Test func `an intensity that is not allowed is refused where the actor is made`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let error = await failure { _ = try await runtime.spawn(Counter.self, options: options(0)) }
            #expect(error?.code == .invalidArgument)
            #expect(error?.message == "restartIntensity.restarts is 0; allowed are 1 to 1000")
        }
    }
}
