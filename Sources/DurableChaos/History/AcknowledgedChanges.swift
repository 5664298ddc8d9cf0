internal import Synchronization

/// What callers know of changes that have a name each, as the entries of a list: none that was acknowledged may be
/// missing in the end, none may be there twice, and nothing that nobody asked for.
public final class AcknowledgedChanges<Name: Hashable & Sendable>: Sendable {
    private enum Knowledge: Sendable {
        case open
        case acknowledged
        case failed
    }

    private let state = Mutex<[Name: Knowledge]>([:])
    private let hasCertainlyFailed: @Sendable (any Error) -> Bool

    /// Makes one without changes.
    /// - Parameter hasCertainlyFailed: Whether an error means that the change was not made and never will be; not, unless
    ///   given.
    public init(hasCertainlyFailed: @escaping @Sendable (any Error) -> Bool = { _ in false }) {
        self.hasCertainlyFailed = hasCertainlyFailed
    }

    /// How many changes were acknowledged.
    public var count: Int { state.withLock { $0.values.count { $0 == .acknowledged } } }

    /// Makes a call that brings about the change of this name. Each name is for one call.
    /// - Returns: What it returned.
    /// - Throws: What it threw; then the change may have been made, once, or not.
    @discardableResult
    public func record<Value>(_ name: Name, _ call: () async throws -> Value) async throws -> Value {
        let isNew = state.withLock { $0.updateValue(.open, forKey: name) == nil }
        precondition(isNew, "two changes have the name \(name)")
        do {
            let value = try await call()
            state.withLock { $0[name] = .acknowledged }
            return value
        } catch {
            if hasCertainlyFailed(error) { state.withLock { $0[name] = .failed } }
            throw error
        }
    }

    /// Compares what is there with what callers know, when no call is under way any more.
    /// - Throws: ``BrokenPromises`` with each change that is lost, doubled, or was never made.
    public func verify(_ present: some Sequence<Name>) throws {
        let counts = present.reduce(into: [Name: Int]()) { $0[$1, default: 0] += 1 }
        let known = state.withLock { $0 }
        var problems: [String] = []
        for (name, knowledge) in known {
            let count = counts[name] ?? 0
            if knowledge == .acknowledged, count == 0 { problems.append("\(name) was acknowledged and is lost") }
            if knowledge == .failed, count > 0 { problems.append("\(name) has certainly failed and is there") }
            if count > 1 { problems.append("\(name) is there \(count) times") }
        }
        problems += counts.keys.filter { known[$0] == nil }.map { "\($0) is there, and nobody has asked for it" }
        guard problems.isEmpty else { throw BrokenPromises(problems: problems.sorted()) }
    }
}

/// State that does not fit to what callers know.
public struct BrokenPromises: Error, CustomStringConvertible {
    /// A sentence for each thing that is wrong.
    public let problems: [String]

    /// The first of them, and how many more there are.
    public var description: String {
        let shown = problems.prefix(20).joined(separator: "\n")
        return problems.count > 20 ? "\(shown)\nand \(problems.count - 20) more" : shown
    }
}
