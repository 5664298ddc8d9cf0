internal import Glibc

/// Says on a terminal how far something is that takes long; silent elsewhere.
struct Progress: ~Copyable {
    private let what: String
    private let total: Int
    private let isShown = isatty(STDERR_FILENO) == 1
    private var percent = -1

    init(_ what: String, total: Int) {
        self.what = what
        self.total = total
    }

    /// Shows how much is done, when it is a hundredth more than before.
    mutating func show(_ done: Int) {
        let percent = total == 0 ? 100 : Int(Double(done) / Double(total) * 100)
        guard isShown, percent != self.percent else { return }
        self.percent = percent
        Self.write("\(what): \(percent) %")
    }

    deinit {
        if isShown { Self.write("") }
    }

    /// Replaces the terminal's last line. What cannot be written is not worth a word.
    private static func write(_ text: String) {
        let line = Array("\r\u{1B}[K\(text)".utf8)
        _ = Glibc.write(STDERR_FILENO, line, line.count)
    }
}
