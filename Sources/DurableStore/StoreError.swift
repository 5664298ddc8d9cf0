package import DurableCore
internal import DurableLMDB

/// Why a shard could not be opened, read or committed.
package struct StoreError: Error, Sendable, CustomStringConvertible {
    /// What kind of failure it is.
    package enum Code: Sendable, Hashable {
        /// Another worker owns the shard by now. Nothing was written.
        case fenced
        /// The disk has no room. Nothing was written.
        case full
        /// What is stored cannot be read: damaged, foreign, or of a newer version. The bytes are kept.
        case unreadable
        /// Anything else: an I/O error, missing rights. Nothing was acknowledged.
        case failed
    }

    /// What kind of failure it is.
    package let code: Code
    /// What happened, and where.
    package let description: String

    package init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }

    init(_ error: LMDBError, doing what: String) {
        let code: Code =
            switch error.code {
            case .noSpace, .mapFull: .full
            case .corrupted, .damaged, .invalid, .notOurs, .newerFormat, .versionMismatch: .unreadable
            default: .failed
            }
        self.init(code, "\(what): \(error.message)")
    }

    /// The error that the callers of an affected call get.
    package func callerError(for actor: ActorID) -> ActorError {
        switch code {
        case .fenced:
            ActorError(.unavailable, "the worker lost its shard to a newer owner; try again", actor: actor)
        case .full:
            ActorError(
                .storageFull,
                "there is no room to store the change, and nothing was changed; make room, then try again",
                actor: actor,
                cause: description
            )
        case .unreadable:
            ActorError(
                .quarantined,
                "the stored state cannot be read; its bytes are kept",
                actor: actor,
                cause: description
            )
        case .failed:
            ActorError(
                .storageFailed,
                "the change could not be stored, and nothing was changed",
                actor: actor,
                cause: description
            )
        }
    }
}
