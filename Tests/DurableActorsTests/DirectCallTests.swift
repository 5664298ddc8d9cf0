import DurableActors
import DurableChaos
import DurableCore
import Glibc
import Testing

/// Calls that are made one at a time, whose callers read the answers themselves.
@Suite(.serialized) struct DirectCallTests {
    @Test(arguments: [false, true])
    func `calls made one at a time count once each over kills`(isShared: Bool) async throws {
        let options = isShared ? ActorOptions.resilient.shared("direct") : .resilient
        try await ActorRuntime.withRuntime { runtime in
            let counter = try await runtime.spawn(Counter.self, options: options)
            let other = try await runtime.spawn(Counter.self, options: options)
            let killer = Task {
                for kills in 1...10 {
                    kill(try await runtime.process(of: counter), SIGKILL)
                    // Not before the next life has answered.
                    let value = try await other.add(1)
                    #expect(value == kills)
                }
            }
            var calls = 0
            var isOver = false
            while !isOver || calls < 500 {
                calls += 1
                #expect(try await counter.add(1) == calls)
                if calls.isMultiple(of: 100) { isOver = try await other.read() >= 10 }
            }
            try await killer.value
            #expect(try await counter.read() == calls)
            #expect(try await other.read() == 10)
        }
    }

    @Test func `two callers of a group's actors get their own answers in order`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let options = ActorOptions.resilient.shared("direct")
            let counters = [
                try await runtime.spawn(Counter.self, options: options),
                try await runtime.spawn(Counter.self, options: options),
            ]
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (index, counter) in counters.enumerated() {
                    group.addTask {
                        for call in 1...500 {
                            let value = try await counter.add(index + 1)
                            #expect(value == call * (index + 1))
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }
}
