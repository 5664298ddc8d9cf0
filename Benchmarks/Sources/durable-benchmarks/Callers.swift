/// Many callers at once.
enum Callers {
    /// Runs as many tasks, and waits for all of them.
    static func run(_ count: Int, _ body: @escaping @Sendable (Int) async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<count { group.addTask { try await body(number) } }
            try await group.waitForAll()
        }
    }
}
