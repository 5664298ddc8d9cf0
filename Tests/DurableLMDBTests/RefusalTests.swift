import DurableChaos
import DurableLMDB
import Foundation
import Testing

/// Files that must not be opened: the error names the path, and no byte of them changes.
@Suite(.timeLimit(.minutes(2)))
struct RefusalTests {
    private let folder: Folder

    init() throws { folder = try Folder() }

    /// Bytes of a sound store with some content.
    private func soundBytes(entries: Int = 300) throws -> Data {
        let environment = try Environment.small(at: folder.path + "/sound")
        for number in 0..<entries { try environment.put("key\(number)", String(repeating: "v", count: number * 5)) }
        environment.close()
        defer { try? FileManager.default.removeItem(atPath: folder.path + "/sound") }  // goes with the folder otherwise
        return try FileBytes(folder.path + "/sound").bytes
    }

    private func place(_ bytes: Data) throws {
        try FileManager.default.createDirectory(atPath: folder.store, withIntermediateDirectories: true)
        try bytes.write(to: URL(fileURLWithPath: folder.store + "/data.mdb"))
    }

    private func expectRefusal(
        _ code: LMDBError.Code,
        _ options: EnvironmentOptions = .small(),
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let before = try FileBytes(folder.store)
        let files = try folder.contents(of: folder.store)
        for readOnly in [false, true] {
            var options = options
            options.readOnly = readOnly
            let error = refusal(opening: folder.store, options)
            #expect(error?.code == code, sourceLocation: sourceLocation)
            #expect(error?.message.contains(folder.store) == true, sourceLocation: sourceLocation)
        }
        #expect(try FileBytes(folder.store) == before, sourceLocation: sourceLocation)
        #expect(try folder.contents(of: folder.store) == files, sourceLocation: sourceLocation)
    }

    @Test func anotherStoreIsNotOurs() throws {
        try place(soundBytes())
        try expectRefusal(.notOurs, .small(name: "somebody-else"))
    }

    @Test func aNewerFormatIsLeftToNewerPrograms() throws {
        try place(soundBytes())
        try expectRefusal(.newerFormat, .small(version: 2))
        #expect(refusal(opening: folder.store, .small(version: 4)) == nil)
    }

    @Test func anEmptyFileIsNotTakenForANewStore() throws {
        try place(Data())
        try expectRefusal(.damaged)
    }

    @Test func anLMDBFileOfAnotherProgramIsNotOurs() throws {
        // A sound file whose first key is not the marker any more.
        var bytes = try soundBytes()
        var start = bytes.startIndex
        while let range = bytes.range(of: Data("\0format".utf8), in: start..<bytes.endIndex) {
            bytes.replaceSubrange(range, with: Data("another".utf8))
            start = range.upperBound
        }
        try place(bytes)
        try expectRefusal(.notOurs)
    }

    @Test func anOldStateThatGotAGreaterNumberIsDamage() throws {
        let bytes = try soundBytes(entries: 9)
        try place(bytes)
        #expect(refusal(opening: folder.store, .small()) == nil)
        for (page, bit) in [(0, 0), (1, 0), (0, 3), (1, 3), (0, 40), (1, 40), (0, 63), (1, 63)] {
            var broken = bytes
            // The number of the transaction, the last one of the meta page's fields.
            broken[page * 4096 + 144 + bit / 8] ^= 1 << UInt8(bit % 8)
            try place(broken)
            let error = refusal(opening: folder.store, .small())
            #expect(error?.code == .damaged, "page \(page), bit \(bit)")
            #expect(error?.message.contains("its meta pages have numbers") == true)
            #expect(try FileBytes(folder.store).bytes == broken)
        }
    }

    @Test func garbageIsDamaged() throws {
        var random = SeededGenerator(seed: 11)
        for length in [1, 100, 4096, 8192, 50_000] {
            try place(Data((0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }))
            try expectRefusal(.damaged)
        }
    }

    @Test func zerosInPlaceOfAnyPageBelowTheMetaPagesAreDamage() throws {
        let bytes = try soundBytes()
        for metaPage in 0..<2 {
            var broken = bytes
            broken.replaceSubrange(metaPage * 4096..<(metaPage + 1) * 4096, with: Data(count: 4096))
            try place(broken)
            try expectRefusal(.damaged)
        }
        try place(bytes.prefix(8192) + Data(count: bytes.count - 8192))
        try expectRefusal(.damaged)
    }

    /// LMDB puts the roots of a commit whose last write failed into the older meta page, under that page's old number.
    @Test func onlyTheNewerMetaPageHasToPointIntoTheFile() throws {
        let bytes = try soundBytes()
        func transaction(_ page: Int) -> UInt64 {
            (0..<8).reduce(0) { $0 | UInt64(bytes[page * 4096 + 144 + $1]) << UInt64(8 * $1) }
        }
        let newer = transaction(1) > transaction(0) ? 1 : 0
        for page in 0..<2 {
            var changed = bytes
            let root = page * 4096 + 128
            changed.replaceSubrange(root..<root + 8, with: Data([0, 0, 0, 0, 1, 0, 0, 0]))
            try place(changed)
            if page == newer { try expectRefusal(.damaged) } else { #expect(refusal(opening: folder.store) == nil) }
        }
    }

    @Test func anotherDataVersionOfLMDBIsNamed() throws {
        var bytes = try soundBytes()
        bytes[20] = 2
        try place(bytes)
        try expectRefusal(.versionMismatch)
    }

    /// Cut anywhere, a file is refused, or it opens and every entry can be read: reading never meets the missing part.
    @Test func aTruncatedFileIsRefusedOrComplete() throws {
        let bytes = try soundBytes()
        var refused = 0
        var lengths = Array(stride(from: 4096, to: bytes.count, by: 4096))
        var random = SeededGenerator(seed: 12)
        for _ in 0..<20 { lengths.append(Int.random(in: 1..<bytes.count, using: &random)) }
        for length in lengths {
            try? FileManager.default.removeItem(atPath: folder.store)  // absent in the first round
            try place(bytes.prefix(length))
            let before = try FileBytes(folder.store)
            guard let error = refusal(opening: folder.store) else {
                let environment = try Environment.small(at: folder.store)
                for number in 0..<300 { #expect(try environment.get("key\(number)")?.utf8.count == number * 5) }
                continue
            }
            refused += 1
            #expect(error.code == .damaged, "seed 12, cut to \(length)")
            #expect(error.message.contains(folder.store))
            #expect(try FileBytes(folder.store) == before)
        }
        #expect(refused > lengths.count / 2, "only \(refused) of \(lengths.count) cuts were noticed")
    }

    /// LMDB leaves out new pages that a transaction gave back before its commit, so a sound file can be short.
    @Test func aSoundFileThatEndsWithUnwrittenFreePagesOpens() throws {
        var shortest = 0
        var random = SeededGenerator(seed: 13)
        var environment = try Environment.small(at: folder.store)
        for round in 0..<40 {
            try environment.tryWrite { transaction in
                for number in 0..<200 {
                    let value = [UInt8](repeating: 1, count: Int.random(in: 0...900, using: &random))
                    try transaction.put("\(round)-\(number)".utf8, value, in: environment.main)
                }
                try transaction.put("kept\(round)".utf8, [1], in: environment.main)
                try transaction.deletePrefix("\(round)-".utf8, in: environment.main)
            }
            let missing = try environment.statistics().usedBytes - FileBytes(folder.store).bytes.count
            shortest = max(shortest, missing)
            environment.close()
            environment = try Environment.small(at: folder.store)
            #expect(try environment.statistics().entries["main"] == round + 1, "seed 13")
        }
        #expect(shortest > 0, "no short file came up, so nothing was tested")
    }

    /// Damage anywhere in the file never crashes the inspection of it; it may go unnoticed behind the meta pages.
    @Test func randomDamageToTheFirstPagesIsSurvived() throws {
        let bytes = try soundBytes(entries: 20)
        var random = SeededGenerator(seed: 14)
        for _ in 0..<500 {
            var broken = bytes
            for _ in 0..<4 { broken[Int.random(in: 0..<152, using: &random)] = .random(in: 0...255, using: &random) }
            // A name nothing has, so that LMDB never gets the file and only the inspection is tested.
            try place(broken)
            #expect(refusal(opening: folder.store, .small(name: "nothing")) != nil, "seed 14")
        }
    }

    @Test func aFileOrALinkInPlaceOfTheDirectoryIsReported() throws {
        try Data("mine".utf8).write(to: URL(fileURLWithPath: folder.store))
        let error = refusal(opening: folder.store)
        #expect(error?.code == .notOurs)
        #expect(error?.message.contains(folder.store) == true)
        #expect(refusal(opening: folder.store + "/deeper")?.code == .notOurs)
        #expect(try Data(contentsOf: URL(fileURLWithPath: folder.store)) == Data("mine".utf8))
        let link = folder.path + "/link"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: folder.path + "/nowhere")
        #expect(refusal(opening: link) != nil)
    }

    @Test func aDirectoryOrAPipeInPlaceOfTheDataFileIsReported() throws {
        try FileManager.default.createDirectory(atPath: folder.store + "/data.mdb", withIntermediateDirectories: true)
        #expect(refusal(opening: folder.store)?.code == .notOurs)
        let other = folder.path + "/other"
        try FileManager.default.createDirectory(atPath: other, withIntermediateDirectories: true)
        #expect(mkfifo(other + "/data.mdb", 0o600) == 0)
        #expect(refusal(opening: other)?.code == .notOurs)
    }

    @Test(arguments: ["/proc/durable", "/sys/durable", "/proc/self/fd/durable"])
    func aFileSystemThatCannotHoldAStoreIsReported(_ path: String) {
        let error = refusal(opening: path)
        #expect(error != nil)
        #expect(error?.message.contains(path.split(separator: "/").first ?? "?") == true)
    }

    @Test(arguments: ["", "/", ".", "a\0b"]) func aPathThatNamesNoDirectoryIsInvalid(_ path: String) {
        #expect(refusal(opening: path)?.code == .invalid)
    }

    @Test func aMissingParentIsReportedAndNotCreated() throws {
        let error = refusal(opening: folder.path + "/none/store")
        #expect(error?.code == .missing)
        #expect(error?.message.contains(folder.path + "/none") == true)
        #expect(try folder.contents().isEmpty)
    }

    @Test func optionsThatMakeNoSenseAreInvalid() throws {
        var many = EnvironmentOptions.small()
        many.databases = (0..<17).map { "db\($0)" }
        var twice = EnvironmentOptions.small()
        twice.databases = ["a", "a"]
        let wrong: [EnvironmentOptions] = [
            .small(name: ""), .small(name: "two words"), .small(version: -1), .small(mapBytes: 0),
            .small(mapBytes: 1 << 20, mapBytesMax: 1 << 19), many, twice,
        ]
        for options in wrong { #expect(refusal(opening: folder.store, options)?.code == .invalid) }
        #expect(try folder.contents().isEmpty)
    }

    @Test func aSecondOpenInTheProcessIsRefusedOnAnyPath() throws {
        let first = try Environment.small(at: folder.store)
        try FileManager.default.createSymbolicLink(atPath: folder.path + "/link", withDestinationPath: folder.store)
        for path in [folder.store, folder.store + "/", folder.path + "/./store", folder.path + "/link"] {
            #expect(refusal(opening: path)?.code == .alreadyOpen)
        }
        try first.put("a", "1")
        first.close()
        #expect(refusal(opening: folder.path + "/link") == nil)
    }

    @Test func anEnvironmentThatIsLetGoCanBeOpenedAgain() throws {
        for _ in 0..<3 {
            let environment = try Environment.small(at: folder.store)
            try environment.put("a", "1")
        }
    }
}
