public import DurableActors
internal import Testing

/// The runtime of the running test.
public enum TestRuntime {
    struct Scope: Sendable {
        var runtime: ActorRuntime
        var test: Test.ID
    }

    @TaskLocal static var scope: Scope?

    /// The runtime that the trait `.runtime` gave the running test; also in the tasks that the test starts, except for
    /// detached ones.
    /// - Throws: ``ActorError`` with `runtimeStopped` outside of such a test.
    public static var current: ActorRuntime {
        get throws {
            guard let scope else {
                throw ActorError(.runtimeStopped, "no runtime is here: give the test or its suite the trait .runtime")
            }
            return scope.runtime
        }
    }
}
