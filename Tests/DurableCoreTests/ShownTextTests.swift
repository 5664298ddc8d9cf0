import DurableCore
import Testing

struct ShownTextTests {
    @Test func plainTextIsShownAsItIs() {
        for text in ["", "ada", "grüß dich", "日本語 🙂", "a\u{301}", "\\u{1b}"] { #expect(text.onOneLine == text) }
    }

    @Test(arguments: [
        ("\u{1b}[2J", "\\u{1b}[2J"), ("a\nb\r\nc", "a\\u{a}b\\u{d}\\u{a}c"), ("\u{9b}31m", "\\u{9b}31m"),
        ("a\u{0}\u{7f}\t\u{8}", "a\\u{0}\\u{7f}\\u{9}\\u{8}"), ("\u{202e}txt.exe", "\\u{202e}txt.exe"),
        ("\u{2028}\u{2066}\u{85}", "\\u{2028}\\u{2066}\\u{85}"), ("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}"),
    ])
    func whatATerminalWouldObeyIsShownAsANumber(text: String, shown: String) {
        #expect(text.onOneLine == shown)
        #expect(shown.onOneLine == shown)
    }
}
