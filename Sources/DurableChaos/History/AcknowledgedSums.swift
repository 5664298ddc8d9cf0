internal import Synchronization

/// What callers know of amounts that were added to counters or accounts: each acknowledged one is in the total once,
/// each of unknown outcome once or not at all.
public final class AcknowledgedSums: Sendable {
    private struct Account: Sendable {
        var acknowledged = 0
        /// Amounts that may be there or not.
        var unknown: [Int] = []
    }

    /// Beyond so many possible totals only their bounds are checked.
    private static let totalsMax = 100_000
    private let accounts = Mutex<[String: Account]>([:])
    private let hasCertainlyFailed: @Sendable (any Error) -> Bool

    /// Makes one without amounts.
    /// - Parameter hasCertainlyFailed: Whether an error means that nothing was added and never will be; not, unless
    ///   given.
    public init(hasCertainlyFailed: @escaping @Sendable (any Error) -> Bool = { _ in false }) {
        self.hasCertainlyFailed = hasCertainlyFailed
    }

    /// Makes a call that adds an amount, which may be negative.
    /// - Parameters:
    ///   - amount: What the call adds.
    ///   - account: Which counter it is, when there are several.
    ///   - call: The call itself.
    /// - Returns: What it returned.
    /// - Throws: What it threw; then the amount may have been added, once, or not.
    @discardableResult
    public func record<Value>(
        _ amount: Int,
        to account: String = "",
        _ call: () async throws -> Value
    ) async throws -> Value {
        do {
            let value = try await call()
            accounts.withLock { $0[account, default: Account()].acknowledged += amount }
            return value
        } catch {
            if !hasCertainlyFailed(error) {
                accounts.withLock { $0[account, default: Account()].unknown.append(amount) }
            }
            throw error
        }
    }

    /// Compares a total with what callers know, when no call is under way any more.
    /// - Parameters:
    ///   - total: What the counter has.
    ///   - account: Which counter it is.
    ///   - initial: What it had before the first call.
    /// - Throws: ``BrokenPromises`` if the calls cannot have led to that.
    public func verify(_ total: Int, of account: String = "", from initial: Int = 0) throws {
        let known = accounts.withLock { $0[account] ?? Account() }
        let certain = initial + known.acknowledged
        var totals: Set<Int>? = [certain]
        for amount in known.unknown {
            guard let before = totals else { break }
            let all = before.union(before.map { $0 + amount })
            totals = all.count > Self.totalsMax ? nil : all
        }
        let least = certain + known.unknown.filter { $0 < 0 }.reduce(0, +)
        let most = certain + known.unknown.filter { $0 > 0 }.reduce(0, +)
        guard !(totals?.contains(total) ?? (least...most).contains(total)) else { return }
        let name = account.isEmpty ? "the total" : "\(account)'s total"
        let open = known.unknown.isEmpty ? "" : ", and \(known.unknown.count) amounts of unknown outcome"
        let deed = total < least ? "some were lost" : total > most ? "some were added twice" : "no choice of them fits"
        throw BrokenPromises(
            problems: ["\(name) is \(total); acknowledged amounts make \(certain)\(open): \(deed)"]
        )
    }

    /// Whether amounts that only moved between accounts are all there.
    /// - Parameters:
    ///   - balances: What each account has now.
    ///   - total: What all had together.
    /// - Throws: ``BrokenPromises`` if something was made or lost on the way.
    public static func verifyConserved(_ balances: some Sequence<Int>, total: Int) throws {
        let sum = balances.reduce(0, +)
        guard sum != total else { return }
        let deed = sum < total ? "\(total - sum) were lost" : "\(sum - total) came from nowhere"
        throw BrokenPromises(problems: ["all accounts together have \(sum), and had \(total): \(deed)"])
    }
}
