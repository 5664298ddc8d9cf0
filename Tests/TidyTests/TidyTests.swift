import Foundation
import Testing

/// The package's own sources keep the rules of its style.
struct TidyTests {
    @Test(arguments: Rule.all) func theSourcesKeepTheRule(rule: Rule) throws {
        let files = try Package.files()
        #expect(files.count > 50, "the sources were not found at \(Package.root.path)")
        for finding in files.flatMap({ rule.findings(in: $0) }) { Issue.record("\(finding)") }
    }

    @Test func everyTargetHasItsPlaceInTheLayersAndNoLayerIsACycle() {
        func below(_ target: String, _ path: [String]) {
            #expect(!path.contains(target), "a cycle: \(path) \(target)")
            guard !path.contains(target) else { return }
            for next in Rule.layersBelow[target] ?? [] { below(next, path + [target]) }
        }
        for target in Rule.layersBelow.keys { below(target, []) }
    }
}

/// The wrong variants of the product that `Tests/seeded-bugs/run` has the tests find.
struct WrongVariantTests {
    @Test func theBugsAreNotInAnOrdinaryBuild() {
        #if SEEDED_BUGS
        Issue.record("this build has seeded bugs: make it without DURABLE_SEEDED_BUGS")
        #endif
    }

    @Test func eachBugHasItsPlaceInTheSourcesAndItsLane() throws {
        let folder = Package.root.appendingPathComponent("Tests/seeded-bugs")
        func lines(_ name: String) throws -> [Substring] {
            try String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8).split(separator: "\n")
        }
        let bugs = try lines("SeededBug.swift").compactMap { line -> String? in
            let words = line.split(separator: " ")
            return words.count == 2 && words[0] == "case" ? String(words[1]) : nil
        }
        #expect(bugs.count >= 25)
        let lanes = try lines("lanes.txt").filter { !$0.hasPrefix("#") }.compactMap { $0.split(separator: " ").first }
        #expect(lanes.map(String.init).sorted() == bugs.sorted())
        let code = try Package.files().filter { $0.target != nil }.flatMap { $0.code.map(\.text) }
        for bug in bugs {
            #expect(code.contains { $0.contains("SeededBug.\(bug).isActive") }, "\(bug) is nowhere")
        }
    }
}

/// Each rule is able to fail, and to let pass what is right.
struct RuleTests {
    private func found(_ rule: Rule, _ text: String, in path: String) -> [Int] {
        rule.findings(in: SourceFile(path: path, text: text)).map(\.line)
    }

    @Test(arguments: [
        ("DurableCore", "DurableStore", false), ("DurableCore", "CBOR", false), ("DurableCore", "Glibc", false),
        ("DurableCore", "Foundation", false), ("DurableCore", "Distributed", true), ("CBOR", "DurableCore", false),
        ("CBOR", "Glibc", true), ("DurableLMDB", "CLMDB", true), ("DurableLMDB", "DurableCore", false),
        ("DurableLMDB", "CDurable", false), ("DurableStore", "CLMDB", false), ("DurableStore", "DurableLMDB", true),
        ("DurableProcess", "DurableCore", true), ("DurableProcess", "DurableTransport", false),
        ("DurableTransport", "DurableCore", false), ("DurableTransport", "CDurable", true),
        ("DurableSupervisor", "DurableActors", false), ("DurableSupervisor", "DurableStore", false),
        ("DurableSupervisor", "DurableTransport", true), ("DurableActors", "DurableChaos", false),
        ("DurableActors", "CDurable", false), ("DurableActors", "DurableSupervisor", true),
        ("DurableChaos", "DurableActors", true), ("DurableChaos", "DurableStore", false),
        ("Examples", "DurableCore", false), ("Examples", "DurableActors", true), ("durable", "DurableChaos", true),
        ("durable", "CLMDB", false), ("durable", "Testing", false), ("durable", "DurableTesting", false),
        ("DurableTesting", "Testing", true), ("DurableTesting", "DurableActors", true),
        ("DurableTesting", "CDurable", false), ("DurableActors", "Testing", false), ("CBOR", "Testing", false),
        ("NewTarget", "Glibc", false),
    ])
    func importsAreCheckedAgainstTheLayers(target: String, module: String, isAllowed: Bool) {
        for form in ["internal import \(module)", "@_exported public import struct \(module).Thing"] {
            let lines = found(Rule.layers, "\n\(form)\n", in: "Sources/\(target)/Folder/File.swift")
            #expect(lines.isEmpty == isAllowed, "\(form) in \(target)")
        }
    }

    @Test func testsMayImportEverything() {
        #expect(found(Rule.layers, "import DurableActors", in: "Tests/DurableCoreTests/File.swift").isEmpty)
        #expect(found(Rule.importAccess, "import DurableActors", in: "Tests/DurableCoreTests/File.swift").isEmpty)
    }

    @Test func anImportWithoutAccessIsFound() {
        let text = "import Glibc\ninternal import CBOR\n@preconcurrency import Glibc\n// import Glibc\n"
        #expect(found(Rule.importAccess, text, in: "Sources/DurableStore/File.swift") == [1, 3])
        #expect(found(Rule.importAccess, text, in: "Sources/durable/main.swift") == [1, 3])
        #expect(found(Rule.importAccess, text, in: "Sources/Examples/main.swift").isEmpty)
    }

    @Test(arguments: [(500, true), (501, false)]) func aFileThatIsTooLongIsFound(count: Int, isAllowed: Bool) {
        for end in ["", "\n"] {
            let text = Array(repeating: "x", count: count).joined(separator: "\n") + end
            #expect(found(Rule.length, text, in: "Tests/A/File.swift").isEmpty == isAllowed)
        }
    }

    @Test func forcedTriesAndCastsAreFoundInCodeOnly() {
        let (forcedTry, forcedCast) = ("try" + "!", "as" + "!")
        let text =
            "let a = \(forcedTry) b()\nlet c = d \(forcedCast) E\n// \(forcedTry) \(forcedCast)\n"
            + "let f = \"\(forcedTry) \(forcedCast)\"\nlet g = try h() as? I\n"
        #expect(found(Rule.forcedTry, text, in: "Tests/A/File.swift") == [1])
        #expect(found(Rule.forcedCast, text, in: "Sources/CBOR/File.swift") == [2])
    }

    @Test(arguments: ["TO" + "DO", "FIX" + "ME", "HA" + "CK:"]) func unfinishedMarksAreFoundInComments(mark: String) {
        #expect(
            found(Rule.unfinishedMarks, "let a = 1  // \(mark) later\nlet b = 2", in: "Sources/CBOR/A.swift") == [1]
        )
    }

    @Test(arguments: ["final class A: @unchecked " + "Sendable {", "    nonisolated" + "(unsafe) var a = 1"])
    func aClaimWithoutItsReasonIsFound(claim: String) {
        let reason = "// SAFETY: only one thread uses it."
        #expect(found(Rule.safety, "\n\(claim)\n", in: "Sources/CBOR/A.swift") == [2])
        #expect(found(Rule.safety, "\(claim)\n\(reason)\n", in: "Sources/CBOR/A.swift") == [1], "below is too late")
        #expect(found(Rule.safety, "\(reason)\n\n\n\n\(claim)\n", in: "Sources/CBOR/A.swift") == [5], "too far")
        #expect(found(Rule.safety, "\(reason)\n\(claim)\n", in: "Sources/CBOR/A.swift").isEmpty)
        #expect(found(Rule.safety, "\(reason)\n/// Doc.\n@Attribute\n\(claim)\n", in: "Sources/CBOR/A.swift").isEmpty)
        #expect(found(Rule.safety, "// \(claim)\n", in: "Sources/CBOR/A.swift").isEmpty)
    }

    @Test func aWrongVariantInAnOrdinaryBuildIsFound() {
        let (on, bug, off) = ("#if SEEDED_BUGS", "    if SeededBug.noSync.isActive { return }", "#endif")
        func lines(_ lines: String...) -> [Int] {
            found(Rule.seededBugs, lines.joined(separator: "\n"), in: "Sources/CBOR/A.swift")
        }
        #expect(lines(on, bug, off, "  #if SEEDED_BUGS", "internal import SeededBugs", off) == [])
        #expect(lines(bug, on, off, bug) == [1, 4])
        #expect(lines(on, "#else", bug, off) == [3])
        #expect(lines("#if DEBUG", bug, on, bug, off, bug, off) == [2, 6])
        #expect(lines("#if !SEEDED_BUGS", bug, off) == [2])
    }

    @Test func theTargetOfAFileIsItsFolderInSources() {
        #expect(SourceFile(path: "Sources/CBOR/A.swift", text: "").target == "CBOR")
        #expect(SourceFile(path: "Sources/DurableCore/Wire/A.swift", text: "").target == "DurableCore")
        #expect(SourceFile(path: "Tests/DurableCoreTests/A.swift", text: "").target == nil)
    }
}
