internal import DurableCore
internal import Glibc

/// The file: a line for each type, property and part, sorted, so that a change of a type is a change of its lines.
extension SchemaLock {
    private static let heading = """
        # The stored layouts of durable actors, as `durable schema` or a test has written them.
        # A changed type without a higher schemaVersion makes stored state unreadable: see docs/schema.md.

        """
    private static let versionMark = ", schema version "
    private static let aliasMark = "  (renamed from "

    /// The file's content.
    public var text: String {
        var text = Self.heading
        for (name, layout) in types.sorted(by: { $0.key < $1.key }) {
            text += "\nactor \(name)\(Self.versionMark)\(layout.version)\n"
            for (path, type) in layout.lines.sorted(by: { $0.key < $1.key }) {
                let former = layout.aliases.filter { $0.value == path }.keys.sorted()
                let note = former.isEmpty ? "" : "\(Self.aliasMark)\(former.joined(separator: ", ")))"
                text += "    \(path): \(type)\(note)\n"
            }
        }
        return text
    }

    /// Reads a file's content.
    /// - Throws: ``ActorError`` with `invalidArgument`, naming the line.
    public init(parsing text: String) throws(ActorError) {
        types = [:]
        var current: String?
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if line.isEmpty || line.hasPrefix("#") { continue }
            if line.hasPrefix("actor ") {
                guard let (name, number) = Self.split(line.dropFirst(6), atLast: Self.versionMark),
                    let version = UInt32(number), types[name] == nil
                else { throw Self.malformed(index, line) }
                types[name] = Layout(version: version, lines: [:], aliases: [:])
                current = name
            } else {
                guard let current, types[current]?.read(line) == true else { throw Self.malformed(index, line) }
            }
        }
    }

    /// Reads a file.
    /// - Throws: ``ActorError`` with `invalidArgument`.
    public init(file: String) throws(ActorError) {
        guard let stream = fopen(file, "re") else { throw Self.unusable(file, "read") }
        defer { fclose(stream) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 14)
        while true {
            let count = fread(&buffer, 1, buffer.count, stream)
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        guard ferror(stream) == 0 else { throw Self.unusable(file, "read") }
        try self.init(parsing: String(decoding: bytes, as: UTF8.self))
    }

    /// Writes a file, in place of what it was.
    /// - Throws: ``ActorError`` with `invalidArgument`; the file is then as it was.
    public func write(to file: String) throws(ActorError) {
        let draft = "\(file).new"
        guard let stream = fopen(draft, "we") else { throw Self.unusable(file, "written") }
        let isWritten = fputs(text, stream) >= 0
        guard fclose(stream) == 0, isWritten, rename(draft, file) == 0 else {
            let error = Self.unusable(file, "written")
            unlink(draft)
            throw error
        }
    }

    fileprivate static func split(_ line: Substring, atLast mark: String) -> (String, String)? {
        var start = line.startIndex
        var found: Substring.Index?
        while let place = line[start...].firstIndex(of: mark.first ?? " ") {
            if line[place...].hasPrefix(mark) { found = place }
            start = line.index(after: place)
        }
        return found.map { (String(line[..<$0]), String(line[$0...].dropFirst(mark.count))) }
    }

    private static func malformed(_ index: Int, _ line: Substring) -> ActorError {
        ActorError(.invalidArgument, "line \(index + 1) is no line of a schema lock: \(line.prefix(100))")
    }

    private static func unusable(_ file: String, _ what: String) -> ActorError {
        ActorError(.invalidArgument, "\(file) cannot be \(what): \(String(cString: strerror(errno)))")
    }
}

extension SchemaLock.Layout {
    /// Adds a line; false when it is none.
    fileprivate mutating func read(_ line: Substring) -> Bool {
        guard line.hasPrefix("    "), let colon = line.firstIndex(of: ":") else { return false }
        let path = String(line[..<colon].dropFirst(4))
        var type = String(line[colon...].dropFirst(2))
        if type.hasSuffix(")"), let (plain, former) = SchemaLock.split(type[...], atLast: "  (renamed from ") {
            type = plain
            for name in former.dropLast().split(separator: ",") {
                aliases[String(name.drop { $0 == " " })] = path
            }
        }
        guard !path.isEmpty, !type.isEmpty, lines[path] == nil else { return false }
        lines[path] = type
        return true
    }
}
