import DurableCore
import Testing

struct LastWordsTests {
    @Test func `the message is what stands before the last stack`() {
        let words = LastWords(stderr: "a\nCurrent stack trace:\n0 x\nFatal error: größer\nCurrent stack trace:\n0 y\n")
        #expect(words.message == "a\nCurrent stack trace:\n0 x\nFatal error: größer")
        #expect(words.text.hasSuffix("Current stack trace:\n0 y"))
    }

    @Test func `a long stack does not push the message out`() {
        let frames = String(repeating: "12 libsomething.so 0x0000 somewhere\n", count: 1000)
        let words = LastWords(stderr: "Fatal error: no\nCurrent stack trace:\n\(frames)")
        #expect(words.text.hasPrefix("Fatal error: no\nCurrent stack trace:\n12 lib"))
        #expect(words.text.utf8.count <= Limits.stderrTailBytesMax)
        #expect(words.message == "Fatal error: no")
    }

    @Test(arguments: 0...3) func `a stack that is cut within a character ends before it`(shift: Int) {
        let frames = String(repeating: "x", count: shift) + String(repeating: "😀", count: 2000)
        let words = LastWords(stderr: "Fatal error: no\nCurrent stack trace:\n\(frames)")
        #expect(words.text.utf8.count <= Limits.stderrTailBytesMax)
        #expect(words.text.hasSuffix("😀"))
    }

    @Test func `without a stack it is the end, cut between characters`() {
        let words = LastWords(stderr: String(repeating: "ö", count: 5000) + "!\n")
        #expect(words.text.utf8.count <= Limits.stderrTailBytesMax)
        #expect(words.text.allSatisfy { $0 == "ö" || $0 == "!" } && words.text.hasSuffix("ö!"))
        #expect(words.message.utf8.count <= 500 && words.message.hasSuffix("ö!"))
        #expect(words.message.first == "ö")
    }

    @Test(arguments: ["", " \n ", "Current stack trace:"]) func `nothing said is nothing`(stderr: String) {
        #expect(LastWords(stderr: stderr).message == "")
    }
}
