public import DurableActors
public import DurableChaos
internal import Testing

/// An expectation of a scenario or its verification has failed; its issue tells which.
private struct ExpectationsFailed: Error, CustomStringConvertible {
    let count: Int

    var description: String { "\(count) expectations failed; their issues name the case" }
}

/// A crash matrix whose closures may use `#expect` and `#require`: each issue says in which case it came up, and a case
/// with issues counts as not survived. Else as `crashMatrix` of DurableChaos.
///
/// What is not survived is an issue of the test each, and one more that sums up.
/// - Parameters:
///   - seed: What decides the order of the cases, and which passages are chosen when not all are.
///   - options: How it works.
///   - scenario: What is to survive.
///   - verify: Expects what was promised.
/// - Returns: What was covered.
/// - Throws: What went wrong before the first case.
@discardableResult
public func expectSurvival(
    seed: UInt64,
    options: CrashMatrixOptions = CrashMatrixOptions(),
    _ scenario: @escaping @Sendable (ActorRuntime) async throws -> Void,
    verify: @escaping @Sendable (ActorRuntime) async throws -> Void
) async throws -> CrashMatrixReport {
    var options = options
    if let test = Test.current {
        options.around = { crash, body in
            let failures = FailureCount()
            let title = crash.map { "in the case \($0)" } ?? "in the run in which nothing is killed"
            let observer = failures.observer(adding: "\(title), seed \(seed)")
            var thrown: (any Error)?
            do {
                try await observer.provideScope(for: test, testCase: nil, performing: body)
            } catch {
                thrown = error
            }
            // An error of `#require` says less than its issue.
            if failures.count > 0 { throw ExpectationsFailed(count: failures.count) }
            if let thrown { throw thrown }
        }
    }
    do {
        return try await crashMatrix(seed: seed, options: options, scenario, verify: verify)
    } catch let failure as CrashMatrixFailure {
        Issue.record(Comment(rawValue: failure.description))
        return failure.report
    }
}
