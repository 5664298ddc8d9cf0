import Foundation
import Synchronization
import Testing

@testable import DurableTransport

extension TransportTests {
    /// Callbacks that a loop keeps and calls for ever: the hook of its batches, and watches.
    @Suite struct CallbackGrowthTests {
        /// What a callback measures of itself, call by call, on the loop's thread.
        private final class Growth: Sendable {
            static let calls = 100_000
            private static let stackBytesMax = 64 << 10
            private static let memoryBytesMax = 4 << 20
            private static let warmUpCalls = 1000

            private struct State {
                var calls = 0
                var stackAtFirst: UInt = 0
                var stackGrowth: UInt = 0
                var memoryAtWarm = 0
                var memoryGrowth = 0
            }

            private let state = Mutex(State())
            let isOver = Atomic<Bool>(false)

            var stackGrowth: UInt { state.withLock { $0.stackGrowth } }
            var memoryGrowth: Int { state.withLock { $0.memoryGrowth } }
            var calls: Int { state.withLock { $0.calls } }

            /// Notes a call; false once there is nothing more to learn. A stack that grows ends it before it overflows.
            func note() -> Bool {
                var local: UInt8 = 0
                let stack = withUnsafePointer(to: &local) { UInt(bitPattern: $0) }
                let goesOn = state.withLock { state in
                    state.calls += 1
                    if state.calls == 1 { state.stackAtFirst = stack }
                    state.stackGrowth = max(state.stackGrowth, state.stackAtFirst - min(stack, state.stackAtFirst))
                    if state.calls == Growth.warmUpCalls { state.memoryAtWarm = residentBytes() }
                    return state.calls < Growth.calls && state.stackGrowth <= Growth.stackBytesMax
                }
                guard !goesOn else { return true }
                state.withLock { $0.memoryGrowth = residentBytes() - $0.memoryAtWarm }
                isOver.store(true, ordering: .sequentiallyConsistent)
                return false
            }

            func check() async throws {
                try await eventually("the last call", seen: { "\(self.calls)" }) {
                    isOver.load(ordering: .sequentiallyConsistent)
                }
                #expect(calls == Growth.calls, "the calls ended early")
                #expect(stackGrowth <= Growth.stackBytesMax)
                #expect(memoryGrowth <= Growth.memoryBytesMax)
            }

            /// The bytes of memory that the process has in use.
            private func residentBytes() -> Int {
                let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
                let fields = text.split(separator: " ")
                return fields.count > 1 ? (Int(fields[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE))) : 0
            }
        }

        @Test func `the hook called a hundred thousand times needs no more stack and memory than at first`()
            async throws
        {
            // In a process of its own: what other tests need is not counted.
            await #expect(processExitsWith: .success) {
                try await withLoops(1) { loops in
                    let growth = Growth()
                    loops[0].setBatchEnd { [loop = loops[0]] in if growth.note() { loop.execute {} } }
                    loops[0].execute {}
                    try await growth.check()
                    loops[0].setBatchEnd(nil)
                }
            }
        }

        @Test func `a watch called a hundred thousand times needs no more stack and memory than at first`() async throws
        {
            await #expect(processExitsWith: .success) {
                try await withLoops(1) { loops in
                    var ends: [Int32] = [-1, -1]
                    #expect(pipe(&ends) == 0 && write(ends[1], "x", 1) == 1)
                    let growth = Growth()
                    let watches = Mutex<LoopWatch?>(nil)
                    // Never read, so it stays readable and each round of the loop calls again.
                    let watch = try loops[0].watch(ends[0]) {
                        if !growth.note() { watches.withLock { $0 }?.cancel() }
                    }
                    watches.withLock { $0 = watch }
                    try await growth.check()
                    watch.cancel()
                    for end in ends { close(end) }
                }
            }
        }
    }
}
