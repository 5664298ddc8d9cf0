import Foundation

/// A Swift file of the package, as the rules see it.
struct SourceFile {
    /// Its path below the package's root.
    let path: String
    let lines: [Substring]

    init(path: String, text: String) {
        self.path = path
        lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    }

    /// The target of a file in `Sources`; `nil` for any other.
    var target: String? {
        let parts = path.split(separator: "/")
        return parts.first == "Sources" && parts.count > 2 ? String(parts[1]) : nil
    }

    /// Its lines without comments and literals' text, each with its number.
    var code: [(number: Int, text: String)] {
        lines.enumerated().map { (number: $0.offset + 1, text: Self.withoutComment($0.element)) }
    }

    /// Its imports.
    var imports: [Import] { code.compactMap { Import(line: $0.text, number: $0.number) } }

    /// Drops a comment at the end of a line and the text of string literals, which may speak of anything.
    private static func withoutComment(_ line: Substring) -> String {
        var (result, isInText, previous) = ("", false, Character(" "))
        for character in line {
            if character == "\"", previous != "\\" { isInText.toggle() }
            if !isInText, character == "/", previous == "/" { return String(result.dropLast()) }
            if !isInText || character == "\"" { result.append(character) }
            previous = character == "\\" && previous == "\\" ? " " : character
        }
        return result
    }
}

/// An import with the access level that it states.
struct Import: Equatable {
    let module: String
    let access: String?
    let number: Int

    init?(line: String, number: Int) {
        var words = line.split(whereSeparator: \.isWhitespace).map(String.init)
        while words.first?.hasPrefix("@") == true { words.removeFirst() }
        let levels = ["public", "package", "internal", "fileprivate", "private"]
        access = words.first.flatMap { levels.contains($0) ? $0 : nil }
        if access != nil { words.removeFirst() }
        guard words.count >= 2, words[0] == "import" else { return nil }
        let kinds = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
        let name = kinds.contains(words[1]) && words.count > 2 ? words[2] : words[1]
        module = String(name.prefix { $0 != "." })
        self.number = number
    }
}

/// The package that these tests belong to.
enum Package {
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// Every Swift file in `Sources` and `Tests`, but what builds have put there.
    static func files() throws -> [SourceFile] {
        var files: [SourceFile] = []
        for folder in ["Sources", "Tests"] {
            let names = try FileManager.default.subpathsOfDirectory(atPath: root.appendingPathComponent(folder).path)
            let own = names.filter { !$0.split(separator: "/").contains { $0.hasPrefix(".") } }
            for name in own.sorted() where name.hasSuffix(".swift") {
                let url = root.appendingPathComponent(folder).appendingPathComponent(name)
                let text = try String(contentsOf: url, encoding: .utf8)
                files.append(SourceFile(path: "\(folder)/\(name)", text: text))
            }
        }
        return files
    }
}
