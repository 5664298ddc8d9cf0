/// What went wrong in a storage environment.
package struct LMDBError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Says what the caller may do about it.
    package let code: Code

    /// For a person: names the path and what to do.
    package let message: String

    /// The number LMDB or the kernel gave, or 0 when this layer found the fault itself.
    package let underlying: Int32

    init(_ code: Code, _ message: String, underlying: Int32 = 0) {
        self.code = code
        self.message = message
        self.underlying = underlying
    }

    package var description: String {
        underlying == 0 ? "\(code): \(message)" : "\(code) (\(underlying)): \(message)"
    }
}

extension LMDBError {
    /// An open set of causes; compare with the static members.
    package struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Kind: Hashable {
            case notFound, keyExists, mapFull, corrupted, panic, versionMismatch, invalid, mapResized, readersFull
            case badValueSize, transactionFull, ioError, noSpace, permissionDenied, readOnlyFileSystem
            case notOurs, newerFormat, damaged, alreadyOpen, lockedByOther, missing, alreadyExists, closed, nested
            case other(Int32)
        }

        private let kind: Kind

        private init(_ kind: Kind) { self.kind = kind }

        /// No such key, or no such database in a read-only environment.
        package static let notFound = Code(.notFound)
        /// The key is there already and overwriting was not asked for.
        package static let keyExists = Code(.keyExists)
        /// The map may not grow further, or could not grow now because reads held it.
        package static let mapFull = Code(.mapFull)
        /// LMDB met an impossible page while working: the file needs restoring.
        package static let corrupted = Code(.corrupted)
        /// The environment must be closed and opened again before it can write.
        package static let panic = Code(.panic)
        /// The file was written by an incompatible version of LMDB.
        package static let versionMismatch = Code(.versionMismatch)
        /// An argument or option makes no sense.
        package static let invalid = Code(.invalid)
        /// Another process grew the map, and it could not be adopted at this point.
        package static let mapResized = Code(.mapResized)
        /// Every reader slot is taken by a living process.
        package static let readersFull = Code(.readersFull)
        /// A key is empty or too long, or a value is too large.
        package static let badValueSize = Code(.badValueSize)
        /// One transaction changed too many pages.
        package static let transactionFull = Code(.transactionFull)
        /// The disk failed, and not because it is full.
        package static let ioError = Code(.ioError)
        /// The disk, the quota or the file-size limit is exhausted.
        package static let noSpace = Code(.noSpace)
        /// The kernel forbids it to this user.
        package static let permissionDenied = Code(.permissionDenied)
        /// The file system, or this environment, is read-only.
        package static let readOnlyFileSystem = Code(.readOnlyFileSystem)
        /// The path holds something that this store did not make.
        package static let notOurs = Code(.notOurs)
        /// The store was written by a newer version of the program.
        package static let newerFormat = Code(.newerFormat)
        /// The data file is truncated, empty or garbage.
        package static let damaged = Code(.damaged)
        /// This process has the environment open already.
        package static let alreadyOpen = Code(.alreadyOpen)
        /// Another process kept the files busy or kept replacing them.
        package static let lockedByOther = Code(.lockedByOther)
        /// A file or directory that is needed does not exist.
        package static let missing = Code(.missing)
        /// The target of a copy exists already.
        package static let alreadyExists = Code(.alreadyExists)
        /// The environment was closed.
        package static let closed = Code(.closed)
        /// The calling thread already holds a transaction that makes this one impossible.
        package static let nested = Code(.nested)

        /// A number of LMDB or the kernel that has no member of its own.
        package static func other(_ number: Int32) -> Code { Code(.other(number)) }

        package var description: String { "\(kind)" }
    }
}
