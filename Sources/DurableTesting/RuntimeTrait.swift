public import DurableActors
public import Testing

/// Gives each test a runtime of its own, in a temporary directory, as ``TestRuntime/current``.
///
/// After the test its actors end, detached ones too, and the runtime is shut down. A process of the runtime that is
/// still there then, or its directory, is an issue of the test. When a test fails, a warning tells which workers died
/// and what they wrote to stderr.
public struct RuntimeTrait: TestTrait, SuiteTrait, TestScoping {
    /// How each test's runtime works.
    let configuration: RuntimeConfiguration
    /// How long processes may take to be gone after the runtime was shut down.
    let patience: Duration

    init(_ configuration: RuntimeConfiguration, patience: Duration = .seconds(5)) {
        self.configuration = configuration
        self.patience = patience
    }

    /// A suite's trait is for each of its tests, not for all of them together.
    public var isRecursive: Bool { true }

    /// Runs a test with a runtime; Swift Testing calls it.
    public func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @Sendable () async throws -> Void
    ) async throws {
        // The innermost trait counts. A suite's comes first and would start a runtime that nobody uses.
        let configuration = test.traits.last { $0 is Self }.flatMap { $0 as? Self }?.configuration ?? configuration
        guard TestRuntime.scope?.test != test.id else { return try await function() }
        let runtime = try await ActorRuntime.start(configuration: configuration)
        let failures = FailureCount()
        var thrown: (any Error)?
        do {
            try await TestRuntime.$scope.withValue(TestRuntime.Scope(runtime: runtime, test: test.id)) {
                try await failures.observer.provideScope(for: test, testCase: testCase, performing: function)
            }
        } catch {
            thrown = error
        }
        await end(runtime, hasFailed: thrown != nil || failures.count > 0)
        if let thrown { throw thrown }
    }

    private func end(_ runtime: ActorRuntime, hasFailed: Bool) async {
        // A task of its own, which this one waits for: a test that is over its time limit is cancelled, and its runtime
        // is to end all the same.
        await Task {
            let ending = RuntimeEnding(runtime, patience: patience)
            if hasFailed { await ending.report() }
            await ending.end()
        }.value
    }
}

extension Trait where Self == RuntimeTrait {
    /// A runtime with the default configuration for each test.
    public static var runtime: Self { RuntimeTrait(RuntimeConfiguration()) }

    /// A runtime with this configuration for each test.
    public static func runtime(_ configuration: RuntimeConfiguration) -> Self { RuntimeTrait(configuration) }
}
