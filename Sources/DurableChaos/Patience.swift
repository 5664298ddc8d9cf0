internal import DurableActors

/// Runs `body`, and gives up when it takes too long: the runtime is shut down then, so that its calls end.
func within<Value: Sendable>(
    _ patience: Duration,
    of runtime: ActorRuntime,
    _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: patience)
            await runtime.shutdown()
            throw ActorError(.unavailable, "it was not done within \(patience)")
        }
        defer { group.cancelAll() }
        guard let first = try await group.next() else { throw CancellationError() }
        return first
    }
}
