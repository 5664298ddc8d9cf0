import CBOR
import DurableChaos
import Foundation
import Testing

/// Compares with the Python package cbor2, which CI installs with `pip install cbor2`.
@Suite struct InteropTests {
    /// Runs a Python program with lines as its input and returns the lines of its output.
    func python(_ program: String, _ lines: [String]) throws -> [String] {
        let input = FileManager.default.temporaryDirectory.appendingPathComponent("cbor-interop-\(UUID().uuidString)")
        try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: input)
        defer { #expect(throws: Never.self) { try FileManager.default.removeItem(at: input) } }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-c", program]
        process.standardInput = try FileHandle(forReadingFrom: input)
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "python3 failed; is cbor2 there? Run: pip install cbor2")
        return text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
    }

    /// Decodes every line and writes it again in canonical form.
    static let recode = """
        import sys, cbor2
        for line in sys.stdin:
            print(cbor2.dumps(cbor2.loads(bytes.fromhex(line.strip())), canonical=True).hex())
        """

    /// Items that Python holds without loss: no tags, no keys that Python takes for equal, no undefined inside keys.
    func plainItems(_ count: Int, seed: UInt64) -> [CBORValue] {
        var values = RandomValues(generator: SeededGenerator(seed: seed))
        func plain(_ depth: Int) -> CBORValue {
            switch values.number(0..<(depth > 0 ? 10 : 8)) {
            case 0: return .unsigned(values.argument())
            case 1: return .negative(values.argument())
            case 2: return .bytes(values.bytes())
            case 3: return .text(values.text())
            case 4: return .bool(values.number(0..<2) == 0)
            case 5: return .null
            case 6: return .float(Double(bitPattern: values.generator.next()))
            case 7: return .float(Double(values.number(-1000..<1000)) / 8)
            case 8: return .array((0..<values.number(0..<30)).map { _ in plain(depth - 1) })
            default:
                let keys = Set((0..<values.number(0..<30)).map { _ in values.text() }).sorted()
                return .map(keys.map { .init(.text($0), plain(depth - 1)) })
            }
        }
        return (0..<count).map { _ in plain(3) }
    }

    @Test func `Our encodings are cbor2's canonical encodings`() throws {
        var lines = try plainItems(400, seed: testSeed &+ 4).map { hex(try CBOREncoder().encode($0)) }
        var values = RandomValues(generator: SeededGenerator(seed: testSeed &+ 5))
        for _ in 0..<100 { lines.append(hex(try CBOREncoder().encode(values.outer()))) }
        lines.append(try encoded([1: "a", -1: "b", 23: "c", -24: "d"]))
        lines.append(try encoded(Int128.min))
        lines.append(try encoded(UInt128.max))
        lines.append(try encoded([Data([1, 2]), Data([3])]))
        let answers = try python(Self.recode, lines)
        try #require(answers.count == lines.count)
        for (line, answer) in zip(lines, answers) { #expect(line == answer, "seed \(testSeed)") }
    }

    @Test func `Integer keys of mixed widths mean the same to cbor2`() throws {
        let value = [1: "a", -1: "b", 24: "c", -25: "d", 1000: "e", -70_000: "f", Int.max: "g", Int.min: "h"]
        let answer = try #require(try python(Self.recode, [try encoded(value)]).first)
        #expect(try decoded([Int: String].self, answer) == value)
    }

    @Test func `cbor2 reads our values as the same JSON`() throws {
        let program = """
            import sys, json, cbor2
            for line in sys.stdin:
                print(json.dumps(cbor2.loads(bytes.fromhex(line.strip())), sort_keys=True, separators=(",", ":")))
            """
        var values = RandomValues(generator: SeededGenerator(seed: testSeed &+ 6))
        let sent = (0..<50).map { _ in values.outer() }
        let answers = try python(program, try sent.map { try encoded($0) })
        try #require(answers.count == sent.count)
        for (value, answer) in zip(sent, answers) {
            #expect(try JSONDecoder().decode(Outer.self, from: Data(answer.utf8)) == value, "seed \(testSeed)")
        }
    }

    @Test func `Nested optionals are None to cbor2`() throws {
        let program = "import sys, cbor2\nfor line in sys.stdin: print(cbor2.loads(bytes.fromhex(line.strip())))"
        #expect(
            try python(program, [try encoded(Int??.some(.none)), try encoded([Int??.some(.none), 1])]) == [
                "None", "[None, 1]",
            ]
        )
    }

    struct Record: Codable, Equatable {
        var name: String
        var count: Int
        var ratio: Double
        var flags: [Bool]
        var blob: Data
        var nothing: Int?
        var scores: [String: Int]
        var byNumber: [Int: String]
        var large: Int128
    }

    @Test func `cbor2's encodings decode to the values they stand for, in every style`() throws {
        let program = """
            import sys, io, cbor2
            record = {
                "name": "caf\\u00e9 \\u6c34", "count": -1234567, "ratio": 0.1, "flags": [True, False],
                "blob": b"\\x00\\xff",
                "nothing": None, "scores": {"zz": 1, "a": 2, "bbb": 3}, "byNumber": {7: "x", -3: "y", 1000: "z"},
                "large": -(2 ** 100), "unknown": {(1, 2): [None, cbor2.undefined, cbor2.CBORTag(4711, "t")]},
            }
            print(cbor2.dumps(record).hex())
            print(cbor2.dumps(record, canonical=True).hex())
            print(cbor2.dumps(record, indefinite_containers=True).hex())
            print(cbor2.dumps(cbor2.CBORTag(55799, record)).hex())
            """
        let expected = Record(
            name: "caf\u{e9} \u{6c34}",
            count: -1_234_567,
            ratio: 0.1,
            flags: [true, false],
            blob: Data([0, 255]),
            nothing: nil,
            scores: ["zz": 1, "a": 2, "bbb": 3],
            byNumber: [7: "x", -3: "y", 1000: "z"],
            large: -(1 << 100)
        )
        let answers = try python(program, [])
        try #require(answers.count == 4)
        for answer in answers { #expect(try decoded(Record.self, answer) == expected) }
    }

    @Test func `cbor2's own re-encodings of random items decode to the same items`() throws {
        let program = """
            import sys, cbor2
            for line in sys.stdin:
                print(cbor2.dumps(cbor2.loads(bytes.fromhex(line.strip())), indefinite_containers=True).hex())
            """
        let items = plainItems(300, seed: testSeed &+ 7)
        let answers = try python(program, try items.map { try encoded($0) })
        try #require(answers.count == items.count)
        for (item, answer) in zip(items, answers) {
            #expect(try decoded(CBORValue.self, answer) == item, "seed \(testSeed)")
        }
    }
}
