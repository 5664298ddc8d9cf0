/// What all nodes of one encoding share.
final class EncodingSession {
    let userInfo: [CodingUserInfoKey: any Sendable]
    let depthMax: Int
    /// How many values may be open inside one another; values without a container of their own count too.
    let levelMax: Int
    /// The first misuse that was noticed where nothing can be thrown; ends the encoding when a value is closed.
    var failure: EncodingError?

    init(userInfo: [CodingUserInfoKey: any Sendable], depthMax: Int) {
        self.userInfo = userInfo
        self.depthMax = depthMax
        levelMax = depthMax * 2 + 16
    }
}

/// The buffer that nested nodes write into one after the other.
final class EncodingSink {
    // SAFETY: an access to the writer never runs code of the encoded types, so accesses cannot overlap.
    @exclusivity(unchecked) var writer: Writer
    /// The level of the one node whose turn it is to write.
    // SAFETY: an integer that is only read and assigned.
    @exclusivity(unchecked) var turn = 0

    init(writer: Writer) {
        self.writer = writer
    }
}
