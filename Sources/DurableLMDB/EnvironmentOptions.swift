/// The name and version of what a program keeps in an environment.
package struct StoreFormat: Hashable, Sendable {
    /// One word that says whose files these are.
    package var name: String

    /// Grows when the layout changes in a way older programs cannot read.
    package var version: Int

    /// Describes a format by its name and version.
    package init(name: String, version: Int) {
        self.name = name
        self.version = version
    }
}

/// How an environment is opened.
///
/// Modes of LMDB that can lose or destroy data on a crash, other than `Durability.noSync`, cannot be expressed.
package struct EnvironmentOptions: Sendable {
    /// What a returned commit is worth.
    package enum Durability: Sendable {
        /// A returned commit survives a power loss.
        case full
        /// A returned commit survives the death of the process only; a power loss may damage the file.
        case noSync
    }

    /// Whose files these are; others are refused.
    package var format: StoreFormat

    /// The databases to open, created when missing.
    package var databases: [String]

    /// What a returned commit is worth; `full` unless said otherwise.
    package var durability = Durability.full

    /// Whether opening makes durable what a dead process has committed. Only `noSync` may leave that out, and only where
    /// the file counts as unflushed already: from there on nothing but a check can tell whether a power loss damaged it.
    package var syncsWhenOpened = true

    /// Address space reserved at first; it costs no memory.
    package var mapBytesInitial = 1 << 30

    /// The size up to which the map grows when it is needed.
    package var mapBytesMax = 1 << 40

    /// How many named databases the environment can hold.
    package var databasesMax = 16

    /// How many read transactions can be live at once over all processes.
    package var readersMax = 1024

    /// Opens what exists without ever writing to it.
    package var readOnly = false

    /// Whether an environment that does not exist is created.
    package var createsIfMissing = true

    /// How long a full map waits for running reads to end before the write fails.
    package var growthWait = Duration.seconds(10)

    /// Options for a store of `format` with the given databases.
    package init(format: StoreFormat, databases: [String]) {
        self.format = format
        self.databases = databases
    }

    func validate(at path: String) throws(LMDBError) {
        let nameIsFit = !format.name.isEmpty && format.name.utf8.count <= 100 && format.name.utf8.allSatisfy { $0 > 32 }
        let databasesAreFit = databases.allSatisfy { !$0.isEmpty && $0.utf8.count <= 511 && !$0.utf8.contains(0) }
        let fault: String? =
            if !nameIsFit || format.version < 0 {
                "the format needs a name of one word, at most 100 bytes, and a version that is not negative"
            } else if !databasesAreFit || Set(databases).count != databases.count {
                "database names must be unique, not empty and at most 511 bytes"
            } else if databases.count > databasesMax {
                "\(databases.count) databases do not fit into databasesMax \(databasesMax)"
            } else if durability == .full && !syncsWhenOpened {
                "only durability noSync can leave out the sync when the environment is opened"
            } else if mapBytesInitial < 65536 || mapBytesMax < mapBytesInitial {
                "mapBytesInitial must be at least 64 KiB and at most mapBytesMax"
            } else if readersMax < 1 || databasesMax > 1024 {
                "readersMax must be at least 1 and databasesMax at most 1024"
            } else {
                nil
            }
        if let fault { throw LMDBError(.invalid, "\(path): \(fault).") }
    }
}
