/// The one error of the framework: its code says what the caller may do.
///
/// Errors that an actor's own method threw arrive as their own type when that is `Codable`, and with code
/// ``Code/userError`` otherwise.
public struct ActorError: Error, Sendable, Hashable, Codable, CustomStringConvertible {
    /// What kind of failure it is; open, so that codes can be added.
    public struct Code: Sendable, Hashable, Codable, CustomStringConvertible {
        private let name: String

        private init(_ name: String) { self.name = name }

        /// The code's name, as written in Swift.
        public var description: String { name }

        /// The actor is gone for good; spawn another. Ray: `ActorDiedError`.
        public static let died = Code("died")
        /// The actor is restarting or cannot be reached; the call may have run. Try again later. Ray:
        /// `ActorUnavailableError`.
        public static let unavailable = Code("unavailable")
        /// The stored state cannot be read; the bytes are kept. An operator has to look.
        public static let quarantined = Code("quarantined")
        /// The call crashed its worker each time it ran, and will not be run again. Make it with other arguments, or
        /// mend the method.
        public static let poisonCall = Code("poisonCall")
        /// A method threw an error whose type is not `Codable`; the message holds its text.
        public static let userError = Code("userError")
        /// The checkpoint could not be written, and nothing was changed. Mend the storage, then try again.
        public static let storageFailed = Code("storageFailed")
        /// The disk has no room for the checkpoint, and nothing was changed. Make room, then try again.
        public static let storageFull = Code("storageFull")
        /// The call would wait for a turn of its actor that waits for the call; the message names the actors of the
        /// cycle. It was not run.
        public static let deadlock = Code("deadlock")
        /// The actor has no such distributed method; caller and worker may be of different versions.
        public static let unknownMethod = Code("unknownMethod")
        /// The process that owned a reference's value has ended, and the value with it. Ray: `OwnerDiedError`.
        public static let ownerDied = Code("ownerDied")
        /// A reference's value is not kept any more: no process had the reference, or it came from stored state or a
        /// text. Ray: `ObjectLostError`.
        public static let objectLost = Code("objectLost")
        /// There is no actor of this name.
        public static let notFound = Code("notFound")
        /// An actor of this name lives already.
        public static let nameTaken = Code("nameTaken")
        /// An argument or option is not allowed; the message names it and what is.
        public static let invalidArgument = Code("invalidArgument")
        /// Arguments or a result could not be encoded or decoded.
        public static let serialization = Code("serialization")
        /// The call's id was answered before and its record is gone; it was not run again.
        public static let staleCall = Code("staleCall")
        /// The call was first sent so long ago that its record may have expired; it was not run again.
        public static let sessionExpired = Code("sessionExpired")
        /// The call's id was used before for another call; nothing was run.
        public static let callIdReused = Code("callIdReused")
        /// The data directory cannot be used; the message says why.
        public static let directoryUnusable = Code("directoryUnusable")
        /// The supervisor could not be started or reached.
        public static let supervisorUnreachable = Code("supervisorUnreachable")
        /// The runtime has been shut down.
        public static let runtimeStopped = Code("runtimeStopped")
        /// A bound of the framework was reached; send less, or in smaller parts.
        public static let limitExceeded = Code("limitExceeded")
        /// The time given for a wait ran out; a call that was waited for may run still, or have run. Ray:
        /// `GetTimeoutError`.
        public static let timedOut = Code("timedOut")
        /// Everything that was submitted to the pool has been retrieved.
        public static let noMoreResults = Code("noMoreResults")
        /// The call was cancelled with `ObjectRef.cancel`: it did not run, or its method stopped early. Ray:
        /// `TaskCancelledError`.
        public static let cancelled = Code("cancelled")
        /// A defect of the framework.
        public static let internalError = Code("internalError")
    }

    /// What kind of failure it is.
    public var code: Code
    /// What happened, to whom, and what to do.
    public var message: String
    /// The actor it happened to, if it happened to one.
    public var actor: ActorID?
    /// The text of the error underneath, if there is one.
    public var cause: String?

    /// Makes an error.
    /// - Parameters:
    ///   - code: What kind of failure it is.
    ///   - message: What happened, to whom, and what to do.
    ///   - actor: The actor it happened to.
    ///   - cause: The text of the error underneath.
    public init(_ code: Code, _ message: String, actor: ActorID? = nil, cause: String? = nil) {
        self.code = code
        self.message = message
        self.actor = actor?.bare
        self.cause = cause
    }

    /// Code, message, actor and cause in a line.
    public var description: String {
        var text = "\(code): \(message)"
        if let actor { text += " [actor \(actor)]" }
        if let cause { text += " (\(cause))" }
        return text
    }
}
