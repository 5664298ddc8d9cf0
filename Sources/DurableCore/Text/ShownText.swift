extension String {
    /// This text as a part of one line for people: what would move the cursor, end the line, or turn the direction of
    /// reading is written as its number, like `\u{1b}`. A terminal obeys such characters, and names, messages of errors
    /// and stored state hold what others have chosen.
    package var onOneLine: String {
        guard unicodeScalars.contains(where: \.isObeyed) else { return self }
        var text = ""
        for scalar in unicodeScalars {
            if scalar.isObeyed {
                text += "\\u{\(String(scalar.value, radix: 16))}"
            } else {
                text.unicodeScalars.append(scalar)
            }
        }
        return text
    }
}

extension Unicode.Scalar {
    /// Whether a terminal, or whoever lays out text, does something on it instead of showing it.
    fileprivate var isObeyed: Bool {
        switch value {
        case 0..<0x20, 0x7f..<0xa0: true
        // Ends of lines and paragraphs, and everything that overrides the direction.
        case 0x200e, 0x200f, 0x2028...0x202e, 0x2066...0x2069, 0x061c: true
        default: false
        }
    }
}
