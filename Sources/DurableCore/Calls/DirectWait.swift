/// Decides which calls wait for their answers on the caller's own thread.
///
/// That saves a change of thread, but holds the thread: it is for answers that come about as fast as threads change.
/// After one that did not, some calls wait as usual before it is tried again, more of them each time.
package struct DirectWait: Sendable {
    /// An answer that took longer should not have been waited for, in nanoseconds.
    package static let nanosecondsMax: UInt64 = 250_000
    static let callsSkippedMin = 4
    static let callsSkippedMax = 4096
    static let successesUntilTrusted = 16

    private var toSkip = 0
    private var skippedLast = 0
    private var successes = 0

    package init() {}

    /// A call is made. Returns whether its answer may be waited for directly.
    package mutating func begins() -> Bool {
        guard toSkip > 0 else { return true }
        toSkip -= 1
        return false
    }

    /// It was waited for, and this is how long that took.
    package mutating func ended(after nanoseconds: UInt64) {
        guard nanoseconds > Self.nanosecondsMax else {
            successes += 1
            if successes >= Self.successesUntilTrusted { skippedLast = 0 }
            return
        }
        successes = 0
        skippedLast = min(max(Self.callsSkippedMin, skippedLast * 2), Self.callsSkippedMax)
        toSkip = skippedLast
    }
}
