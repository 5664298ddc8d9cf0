/// Views of several environments at one moment: while they are taken, nobody commits to any of them.
///
/// It works by sitting in the writer's seat of every environment at once. Whoever takes several seats must begin with
/// the same one; those who write take no other than their own. A process that dies here frees all of them.
package final class EnvironmentCut {
    private final class Seat {
        let environment: Environment
        private var transaction: WriteTransaction?
        private(set) var isHeld = false

        init(_ environment: Environment) { self.environment = environment }

        deinit {
            // Before the environment closes, which would leave the transaction without one.
            transaction = nil
        }

        func hold() throws(LMDBError) {
            guard !isHeld else { return }
            transaction = try environment.begin()
            isHeld = true
        }

        func release() {
            transaction = nil
            isHeld = false
        }
    }

    private var seats: [String: Seat] = [:]

    package init() {}

    /// Opens an environment that is to be part of the cut, so that nobody has to wait for that later.
    /// - Returns: Whether it exists.
    package func open(_ directory: String, expecting format: StoreFormat) throws(LMDBError) -> Bool {
        guard seats[directory] == nil else { return true }
        var options = EnvironmentOptions(format: format, databases: [])
        options.createsIfMissing = false
        // Nothing is ever written, so there is nothing to make durable.
        options.durability = .noSync
        guard try FileSystem.kind(of: Place(directory: directory).dataFile) != .absent else { return false }
        do throws(LMDBError) {
            seats[directory] = Seat(try Environment.open(directory: directory, options: options))
        } catch  where error.code == .missing {
            // It was removed meanwhile.
            return false
        }
        return true
    }

    /// Stops all commits to an opened environment, until `release`. Waits for the one that runs, without a bound.
    package func hold(_ directory: String) throws(LMDBError) {
        guard let seat = seats[directory] else { preconditionFailure("\(directory) was not opened") }
        try seat.hold()
    }

    /// Whether nobody can commit to an environment.
    package func holds(_ directory: String) -> Bool { seats[directory]?.isHeld == true }

    /// What an environment that is held says now, and will say as long as the view exists, also after `release`.
    /// - Returns: `nil` when its files have been removed.
    package func view(_ directory: String) throws(LMDBError) -> FileView? {
        guard let seat = seats[directory] else { preconditionFailure("\(directory) was not opened") }
        do throws(LMDBError) {
            guard let view = try seat.environment.view() else {
                throw LMDBError(.corrupted, "\(directory): a commit came in spite of the lock. Keep the files.")
            }
            return view
        } catch  where error.code == .missing {
            return nil
        }
    }

    /// Lets everybody commit again.
    package func release() {
        for seat in seats.values { seat.release() }
    }
}
