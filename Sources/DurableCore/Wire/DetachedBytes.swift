/// Large byte strings of arguments or of a result, which travel beside the CBOR that they belong to. Nobody looks at them
/// here.
package struct DetachedBytes: Sendable {
    /// What has them.
    package let holder: any AnyObject & Sendable
    /// How many bytes they have together.
    package let byteCount: Int

    package init(_ holder: any AnyObject & Sendable, byteCount: Int) {
        self.holder = holder
        self.byteCount = byteCount
    }
}

extension DetachedBytes: Hashable {
    /// Whether both are the same memory, and not only the same bytes.
    package static func == (left: Self, right: Self) -> Bool { left.holder === right.holder }

    package func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(holder)) }
}

extension DetachedBytes: Codable {
    /// They only travel in frames of their own.
    package init(from decoder: any Decoder) throws { throw MalformedBytes("detached bytes cannot be decoded") }

    package func encode(to encoder: any Encoder) throws { throw MalformedBytes("detached bytes cannot be encoded") }
}
