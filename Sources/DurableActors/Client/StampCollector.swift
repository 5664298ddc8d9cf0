package import DurableCore
internal import Synchronization

/// Takes down when actors answered the calls of a task, for those who check histories of calls.
package final class StampCollector: Sendable {
    @TaskLocal static var current: StampCollector?

    /// Whether there has ever been one: a process without pays one load for each call.
    private static let used = Atomic(false)
    private let last = Mutex<ReplyStamp?>(nil)

    private init() {}

    static var isUsed: Bool { used.load(ordering: .relaxed) }

    /// Runs `body`, and gives the stamp of the last answer that it got, if it got one.
    package nonisolated(nonsending) static func collect<Value>(
        _ body: () async throws -> Value
    ) async -> (result: Result<Value, any Error>, stamp: ReplyStamp?) {
        used.store(true, ordering: .relaxed)
        let collector = StampCollector()
        let result: Result<Value, any Error>
        do {
            result = .success(try await $current.withValue(collector) { try await body() })
        } catch {
            result = .failure(error)
        }
        return (result, collector.last.withLock(\.self))
    }

    func note(_ stamp: ReplyStamp?) {
        if let stamp { last.withLock { $0 = stamp } }
    }
}
