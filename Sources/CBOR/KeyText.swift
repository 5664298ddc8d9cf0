/// A text key that is looked up in a map.
struct KeyText {
    /// The first eight bytes of the encoded key, which tell most keys apart.
    let word: UInt64
    let text: UnsafeBufferPointer<UInt8>

    @inline(__always)
    init(_ text: UnsafeBufferPointer<UInt8>) {
        self.text = text
        word = Self.word(length: text.count, text.leadingWord)
    }

    /// The first eight bytes of a key in its shortest form.
    @inline(__always)
    static func word(length: Int, _ leadingWord: UInt64) -> UInt64 {
        if length < 24 { return UInt64(0x60 | length) << 56 | leadingWord >> 8 }
        let length = UInt64(length)
        if length <= 0xff { return 0x78 << 56 | length << 48 | leadingWord >> 16 }
        if length <= 0xffff { return 0x79 << 56 | length << 40 | leadingWord >> 24 }
        if length <= 0xffff_ffff { return 0x7a << 56 | length << 24 | leadingWord >> 40 }
        return 0x7b << 56 | length >> 8
    }

    /// Compares the key of a slot with this in the order of encoded keys: shorter ones first.
    @inline(__always)
    func order(_ slot: MapSlot, _ input: Input) -> Int {
        if slot.word != word { return slot.word < word ? -1 : 1 }
        // A word of a short key holds all of it.
        if text.count < 8 { return 0 }
        if slot.length != text.count { return slot.length - text.count }
        return input[slot.start..<slot.start + slot.length].order(text)
    }
}
