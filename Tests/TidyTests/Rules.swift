/// What is wrong where.
struct Finding: CustomStringConvertible {
    let path: String
    let line: Int
    let what: String

    var description: String { "\(path):\(line): \(what)" }
}

/// A rule finds what breaks it in a file.
struct Rule: Sendable, CustomStringConvertible {
    let name: String
    private let check: @Sendable (SourceFile) -> [(line: Int, what: String)]

    private init(_ name: String, _ check: @escaping @Sendable (SourceFile) -> [(line: Int, what: String)]) {
        self.name = name
        self.check = check
    }

    var description: String { name }

    func findings(in file: SourceFile) -> [Finding] {
        check(file).map { Finding(path: file.path, line: $0.line, what: $0.what) }
    }

    static let all = [layers, importAccess, length, forcedTry, forcedCast, unfinishedMarks, safety, seededBugs]

    /// The modules of ours that each target may import: those below it. Others are not ours and not looked at.
    static let layersBelow: [String: Set<String>] = {
        let leaves: Set = ["DurableCore", "CBOR", "DurableLMDB"]
        let drivers: Set = ["DurableProcess", "DurableTransport", "DurableStore", "DurableSupervisor"]
        let framework = leaves.union(drivers)
        return [
            "DurableCore": ["CChecksum"],
            "CBOR": [],
            "DurableLMDB": ["CLMDB"],
            "DurableProcess": ["CDurable", "DurableCore"],
            "DurableTransport": ["CDurable"],
            "DurableStore": leaves,
            "DurableSupervisor": leaves.union(["DurableProcess", "DurableTransport"]),
            "DurableActors": framework,
            "DurableBench": framework.union(["DurableActors"]),
            "DurableChaos": ["DurableActors", "DurableProcess", "DurableCore", "DurableSupervisor"],
            "DurableTesting": framework.union(["DurableActors", "DurableChaos"]),
            "durable": framework.union(["DurableActors", "DurableBench", "DurableChaos"]),
            "Examples": ["DurableActors"],
            "RayNotebook": ["DurableActors"],
        ]
    }()

    private static let ours = Set(layersBelow.keys).union(["CChecksum", "CLMDB", "CDurable"])
    private static let impure: Set = ["Glibc", "Foundation", "FoundationEssentials", "Dispatch", "Synchronization"]
    private static let testing: Set = ["Testing", "XCTest"]

    static let layers = Rule("imports point down the layers only") { file in
        guard let target = file.target else { return [] }
        guard let allowed = layersBelow[target] else { return [(1, "the target \(target) has no place in the layers")] }
        return file.imports.compactMap { found in
            if target == "DurableCore", impure.contains(found.module) {
                return (found.number, "DurableCore is pure and must not import \(found.module)")
            }
            if target != "DurableTesting", testing.contains(found.module) {
                return (found.number, "only DurableTesting may import \(found.module)")
            }
            guard ours.contains(found.module), !allowed.contains(found.module) else { return nil }
            return (found.number, "\(target) must not import \(found.module)")
        }
    }

    static let importAccess = Rule("every import in Sources states its access") { file in
        guard let target = file.target, !["Examples", "RayNotebook"].contains(target) else { return [] }
        return file.imports.filter { $0.access == nil }.map {
            ($0.number, "import of \($0.module) without access level")
        }
    }

    static let length = Rule("no file is over 500 lines") { file in
        // The newline at the end is no line.
        let count = file.lines.last == "" ? file.lines.count - 1 : file.lines.count
        return count > 500 ? [(count, "\(count) lines")] : []
    }

    static let forcedTry = Rule("no try is forced") { lines(in: $0, with: ["try" + "!"]) }

    static let forcedCast = Rule("no cast is forced") { lines(in: $0, with: ["as" + "!"]) }

    static let unfinishedMarks = Rule("nothing is marked as unfinished") { file in
        let marks = ["TO" + "DO", "FIX" + "ME", "HA" + "CK:"]
        // Comments count here, and so does text.
        return file.lines.enumerated().flatMap { offset, line in
            marks.filter { line.contains($0) }.map { (line: offset + 1, what: "\($0)") }
        }
    }

    static let safety = Rule("unchecked claims are explained by a SAFETY comment just above") { file in
        let claims = ["@unchecked " + "Sendable", "nonisolated" + "(unsafe)"]
        return lines(in: file, with: claims).filter { finding in
            let above = file.lines[..<(finding.line - 1)].suffix(3)
            return !above.contains { $0.contains("// SAFETY:") }
        }
    }

    static let seededBugs = Rule("seeded bugs are in a build of their own alone") { file in
        // Whether each block that is open is compiled with the bugs only.
        var blocks: [Bool] = []
        return file.code.compactMap { line in
            let words = line.text.split(whereSeparator: \.isWhitespace)
            switch words.first {
            case "#if": blocks.append(words.dropFirst() == ["SEEDED_BUGS"])
            case "#else", "#elseif": if !blocks.isEmpty { blocks[blocks.count - 1] = false }
            case "#endif": _ = blocks.popLast()
            default: break
            }
            return line.text.contains("SeededBug") && !blocks.contains(true) ? (line.number, "a seeded bug") : nil
        }
    }

    private static func lines(in file: SourceFile, with words: [String]) -> [(line: Int, what: String)] {
        file.code.flatMap { line in words.filter { line.text.contains($0) }.map { (line.number, $0) } }
    }
}
