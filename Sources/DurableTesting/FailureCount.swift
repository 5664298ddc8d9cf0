internal import Synchronization
internal import Testing

/// Counts the failures of a test: Swift Testing tells nobody whether the test that just ran has failed.
final class FailureCount: Sendable {
    private let number = Atomic<Int>(0)

    var count: Int { number.load(ordering: .relaxed) }

    /// Looks at every issue of the test and passes it on.
    var observer: IssueHandlingTrait { observer(adding: nil) }

    /// Looks at every issue of the test and passes it on, with one more comment.
    func observer(adding comment: Comment?) -> IssueHandlingTrait {
        .compactMapIssues { [self] issue in
            if issue.isFailure { number.add(1, ordering: .relaxed) }
            guard let comment else { return issue }
            var issue = issue
            issue.comments.append(comment)
            return issue
        }
    }
}
