/// What a process wrote to stderr before it died, with the part that matters.
///
/// Swift writes a message and then its stack, which is longer than anybody wants to read in an error, and can be longer
/// than what is kept.
package struct LastWords: Sendable, Hashable {
    /// What is kept of it: the message and the beginning of the stack, or the end.
    package let text: String
    /// The end of it, without a stack and the white space around it; short enough for an error.
    package let message: String

    private static let header = "Current stack trace:"
    private static let messageBytesMax = 500

    /// - Parameter stderr: The end of what was written.
    package init(stderr: String) {
        let bytes = Array(stderr.utf8)
        let stack = Self.lastStack(in: bytes) ?? bytes.count
        message = Self.trimmed(bytes[..<stack].suffix(Self.messageBytesMax))
        if stack < bytes.count {
            let before = bytes[..<stack].suffix(Limits.stderrTailBytesMax / 4)
            let behind = bytes[stack...].prefix(Limits.stderrTailBytesMax - before.count)
            text = Self.trimmed(before + behind)
        } else {
            text = Self.trimmed(bytes.suffix(Limits.stderrTailBytesMax))
        }
    }

    private static func lastStack(in bytes: [UInt8]) -> Int? {
        let header = Array(header.utf8)
        guard bytes.count >= header.count else { return nil }
        return (0...(bytes.count - header.count)).last { bytes[$0...].starts(with: header) }
    }

    /// Without what a cut through a character has left, and without the white space around it.
    private static func trimmed(_ bytes: ArraySlice<UInt8>) -> String {
        var whole = bytes.drop { $0 & 0xC0 == 0x80 }
        // A beginning without its end would become another character, which may be longer than it.
        if let last = whole.lastIndex(where: { $0 & 0xC0 != 0x80 }) {
            let length = max(1, (~whole[last]).leadingZeroBitCount)
            if last + length > whole.endIndex { whole = whole[..<last] }
        }
        let text = String(decoding: whole, as: UTF8.self)
        guard let first = text.firstIndex(where: { !$0.isWhitespace }),
            let last = text.lastIndex(where: { !$0.isWhitespace })
        else { return "" }
        return String(text[first...last])
    }
}
