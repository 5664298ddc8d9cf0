import DurableChaos
import DurableCore
import DurableLMDB
import DurableStore
import Foundation
import Testing

/// What is left of a shard whose commits were not flushed when the machine went down. The machine's runs are told
/// apart by a boot id; a test gives another one and does to the file what a power loss does.
@Suite(.timeLimit(.minutes(3)))
struct PowerLossTests {
    private let folder: Folder
    private let first = BootName("first")
    private let second = BootName("second")

    init() throws { folder = try Folder() }

    private var data: URL { URL(fileURLWithPath: "\(folder.shard)/data.mdb") }

    private func withShard<Result>(_ boot: BootName, _ body: (ShardStore) throws -> Result) throws -> Result {
        let store = try ShardStore.open(directory: folder.shard, durability: .process, boot: boot)
        defer { store.close() }
        _ = try store.claim(pid: 1, incarnation: 1)
        return try body(store)
    }

    private func fields(_ store: ShardStore) throws -> [String: [UInt8]] {
        try store.load(Sample.actor)?.fields.values ?? [:]
    }

    /// A shard of version 3 with snapshots of versions 2 and 3, or with none.
    private func makeShard(snapshots: Bool = true) throws {
        try withShard(first) { store throws in
            try store.register(Sample.actor, as: Sample.record, state: Sample.set(["a": [1]]))
            for number: UInt8 in 2...3 {
                try store.commit([Sample.set(["a": [number]], Sample.completion(Sample.call(UInt64(number))))])
                if snapshots { try #require(store.snapshotJob()).run() }
            }
            #expect((store.snapshotJob() == nil) == snapshots, "nothing new needs no snapshot")
            try store.commit([Sample.set(["a": [4]])])
        }
    }

    /// Overwrites bytes of the data file, or ends it there.
    private func damage(from offset: Int, _ bytes: [UInt8]?) throws {
        var contents = try Data(contentsOf: data)
        if let bytes {
            contents.replaceSubrange(offset..<offset + bytes.count, with: bytes)
        } else {
            contents = contents.prefix(offset)
        }
        try contents.write(to: data)
    }

    @Test(arguments: 1...24 as ClosedRange<UInt64>)
    func `any mixture of pages from before and after leads to the state of one commit`(seed: UInt64) throws {
        print("seed \(seed)")
        var generator = SeededGenerator(seed: seed)
        var (images, models): ([UInt64: Data], [UInt64: [String: [UInt8]]]) = ([:], [:])
        try withShard(first) { store throws in
            try store.register(Sample.actor, as: Sample.record, state: nil)
            var model: [String: [UInt8]] = [:]
            for step in 2...60 as ClosedRange<UInt64> {
                var set = Sample.set([:], Sample.completion(Sample.call(step), below: step > 4 ? step - 4 : 0))
                for _ in 0...Int.random(in: 0...2, using: &generator) {
                    let name = "p\(Int.random(in: 0..<12, using: &generator))"
                    if Int.random(in: 0..<5, using: &generator) == 0 {
                        set.changes.append(.removeProperty(name))
                        model[name] = nil
                    } else {
                        let count = [3, 700, 5000, 300_000][Int.random(in: 0..<40, using: &generator) / 13]
                        let value = [UInt8](repeating: UInt8(step), count: count)
                        set.changes.append(.property(name, .value(value)))
                        model[name] = value
                    }
                }
                try store.commit([set])
                _ = try store.sweepDiscarded(limit: 5)
                models[step] = model
                images[step] = try Data(contentsOf: data)
                if step == 25 || step == 40 { try #require(store.snapshotJob()).run() }
            }
        }
        // Each page reached the disk as it was at some commit since the last flush, most of them at the end.
        let flushed = UInt64.random(in: 45...60, using: &generator)
        let late = [2, 20, 200][Int.random(in: 0..<3, using: &generator)]
        let newest = try #require(images[60])
        var torn = Data()
        for page in 0..<newest.count / 4096 {
            let isLate = Int.random(in: 0..<late, using: &generator) == 0
            let version = isLate ? UInt64.random(in: flushed...60, using: &generator) : 60
            let range = page * 4096..<(page + 1) * 4096
            let image = images[version].flatMap { $0.count >= range.upperBound ? $0 : nil } ?? newest
            torn += image[range]
        }
        try torn.write(to: data)

        try withShard(second) { store throws in
            let version = store.fence.version
            #expect(try fields(store) == models[version], "state of version \(version)")
            #expect(version >= 40, "not older than the newest snapshot")
            let isReplaced = ShardNotice(directory: folder.shard).text != nil
            print(ShardNotice(directory: folder.shard).text.map { "fell back: \($0.suffix(60))" } ?? "kept \(version)")
            let keptBytes = try? Data(contentsOf: URL(fileURLWithPath: kept(1)))
            #expect(keptBytes == (isReplaced ? torn : nil))
            // It is a whole shard again.
            try store.commit([Sample.set(["a": [9]])])
            #expect(try fields(store)["a"] == [9])
        }
        #expect(try ShardCheck.version(of: folder.shard) > 40)
    }

    @Test func `a single page from before, sound in itself, is never mixed with newer ones`() throws {
        var generator = SeededGenerator(seed: 1)
        var (images, models): ([Data], [[String: [UInt8]]]) = ([], [])
        try withShard(first) { store throws in
            var model: [String: [UInt8]] = [:]
            for number in 0..<40 { model["p\(number)"] = [UInt8](repeating: 0, count: 300) }
            try store.register(Sample.actor, as: Sample.record, state: Sample.set(model))
            try #require(store.snapshotJob()).run()
            for step: UInt8 in 1...30 {
                let name = "p\(Int.random(in: 0..<40, using: &generator))"
                model[name] = [UInt8](repeating: step, count: 300)
                try store.commit([Sample.set([name: model[name] ?? []])])
                models.append(model)
                images.append(try Data(contentsOf: data))
            }
        }
        let (newest, state) = (try #require(images.last), try #require(models.last))
        let initial = state.mapValues { _ in [UInt8](repeating: 0, count: 300) }
        var losses = 0
        for page in 2..<newest.count / 4096 {
            let range = page * 4096..<(page + 1) * 4096
            let older = Set(images.filter { $0.count >= range.upperBound }.map { $0[range] })
            for content in older where content != newest[range] {
                losses += 1
                var torn = newest
                torn.replaceSubrange(range, with: content)
                try torn.write(to: data)
                try Data("first\n".utf8).write(to: URL(fileURLWithPath: "\(folder.shard)/unsynced"))
                try withShard(second) { store throws in
                    let found = try fields(store)
                    #expect(found == (store.fence.version == 31 ? state : initial), "page \(page)")
                }
            }
        }
        #expect(losses > 50, "the file reuses its pages")
    }

    private func kept(_ number: Int) -> String { "\(folder.shard)/damaged-\(number).mdb" }

    @Test func `a marker whose maker died before its name was durable is made again by the next life`() throws {
        try makeShard()
        let marker = URL(fileURLWithPath: "\(folder.shard)/unsynced")
        let made = { try FileManager.default.attributesOfItem(atPath: marker.path)[.systemFileNumber] as? UInt64 }
        let before = try made()
        try withShard(first) { _ in }
        #expect(try made() == before, "who finds it durable leaves it")
        // What a process leaves that dies between the name and the flush of the directory.
        let unsure = marker.path + ".unsure"
        try Data().write(to: URL(fileURLWithPath: unsure))
        try withShard(first) { _ in }
        #expect(try made() != before, "its name was flushed with a new file")
        #expect(try String(contentsOf: marker, encoding: .utf8) == "first\n")
        #expect(!FileManager.default.fileExists(atPath: unsure))
    }

    @Test func `an undamaged file is kept with everything, and checked once`() throws {
        try makeShard()
        try withShard(second) { store throws in #expect(try fields(store) == ["a": [4]]) }
        #expect(ShardNotice(directory: folder.shard).text == nil)
        #expect(!FileManager.default.fileExists(atPath: kept(1)))
        #expect(try String(contentsOfFile: "\(folder.shard)/unsynced", encoding: .utf8) == "second\n")
    }

    @Test(arguments: ["truncated", "empty", "no meta", "one meta", "zeroed", "gone"])
    func `a damaged file gives way to the newest snapshot, and is kept`(how: String) throws {
        try makeShard()
        let whole = try Data(contentsOf: data)
        switch how {
        case "truncated": try damage(from: 4096 * 4, nil)
        case "empty": try damage(from: 0, nil)
        case "no meta": try damage(from: 0, [UInt8](repeating: 0, count: 8192))
        case "one meta": try damage(from: 4096, [UInt8](repeating: 0, count: 4096))
        case "zeroed": try damage(from: 8192, [UInt8](repeating: 0, count: whole.count - 8192))
        default: try FileManager.default.removeItem(at: data)
        }
        let damaged = try? Data(contentsOf: data)
        try withShard(second) { store throws in
            #expect(try fields(store) == ["a": [3]])
            #expect(store.fence.version == 3)
            #expect(try store.completion(of: Sample.call(3), for: Sample.actor) != nil)
        }
        let notice = try #require(ShardNotice(directory: folder.shard).text)
        #expect(notice.contains("version 3") && notice.contains(how == "gone" ? "it was gone" : kept(1)), "\(notice)")
        #expect(damaged == (try? Data(contentsOf: URL(fileURLWithPath: kept(1)))))
    }

    @Test func `a snapshot that is damaged itself is passed over and set aside`() throws {
        try makeShard()
        try damage(from: 0, nil)
        let newest = "\(folder.shard)/snapshots/3"
        try Data(repeating: 7, count: 8192).write(to: URL(fileURLWithPath: "\(newest)/data.mdb"))
        try withShard(second) { store throws in #expect(try fields(store) == ["a": [2]]) }
        #expect(FileManager.default.fileExists(atPath: "\(newest).damaged/data.mdb"))
        // Another loss finds what was committed since.
        try withShard(second) { store throws in
            try store.commit([Sample.set(["a": [5]])])
            try #require(store.snapshotJob()).run()
        }
        try damage(from: 0, nil)
        try withShard(first) { store throws in #expect(try fields(store) == ["a": [5]]) }
        #expect(FileManager.default.fileExists(atPath: kept(2)))
    }

    @Test(arguments: [true, false])
    func `a sound file gives way only to a sound snapshot that is newer`(isSnapshotSound: Bool) throws {
        try makeShard()
        let snapshot = URL(fileURLWithPath: "\(folder.shard)/snapshots/3/data.mdb")
        try Data(contentsOf: URL(fileURLWithPath: "\(folder.shard)/snapshots/2/data.mdb")).write(to: data)
        if !isSnapshotSound { try Data(contentsOf: snapshot).prefix(8192).write(to: snapshot) }
        try withShard(second) { store throws in #expect(try fields(store) == ["a": [isSnapshotSound ? 3 : 2]]) }
        #expect(FileManager.default.fileExists(atPath: kept(1)) == isSnapshotSound)
        #expect((ShardNotice(directory: folder.shard).text == nil) == !isSnapshotSound)
        try withShard(second) { store throws in
            try store.commit([Sample.set(["a": [8]])])
            try #require(store.snapshotJob()).run()
        }
        try damage(from: 0, nil)
        try withShard(first) { store throws in #expect(try fields(store) == ["a": [8]]) }
    }

    @Test(arguments: [true, false])
    func `without a sound snapshot the shard is refused, again and again, and not touched`(isGone: Bool) throws {
        try makeShard(snapshots: false)
        if isGone { try FileManager.default.removeItem(at: data) } else { try damage(from: 8192, nil) }
        let before = try? Data(contentsOf: data)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.shard).sorted()
        for _ in 0..<2 {
            let error = storeError { try withShard(second) { _ in } }
            #expect(error?.code == .unreadable)
            #expect(error?.description.contains("there is no snapshot") == true, "\(String(describing: error))")
        }
        #expect(before == (try? Data(contentsOf: data)))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.shard).sorted() == names)
    }

    /// A row that no reader of the actor's state meets, so that only the check of the whole shard finds it.
    private func plantBadRow() throws {
        try RawShard(directory: folder.shard).put([1], [1, 2, 3], in: "done")
    }

    @Test func `within one run of the machine nothing is checked`() throws {
        try makeShard()
        try plantBadRow()
        try withShard(first) { store throws in #expect(try fields(store) == ["a": [4]]) }
        try withShard(second) { store throws in #expect(try fields(store) == ["a": [3]]) }
    }

    @Test func `a tool does not open what may be damaged before it has checked it`() throws {
        try makeShard()
        #expect(try ShardReader.read(folder.shard).fence?.version == 4)
        try plantBadRow()
        #expect(storeError { _ = try ShardReader.read(folder.shard) }?.code == .unreadable)
        #expect(ShardNotice(directory: folder.shard).text == nil, "looking changes nothing")
        try Data((BootName.current().description + "\n").utf8).write(
            to: URL(fileURLWithPath: "\(folder.shard)/unsynced")
        )
        #expect(try ShardReader.read(folder.shard).fence?.version == 4)
    }

    @Test func `after a clean end nothing is checked in the next run either`() throws {
        try makeShard()
        try withShard(first) { store throws in try store.endCleanly() }
        #expect(!FileManager.default.fileExists(atPath: "\(folder.shard)/unsynced"))
        try plantBadRow()
        try withShard(second) { store throws in #expect(try fields(store) == ["a": [4]]) }
        #expect(try String(contentsOfFile: "\(folder.shard)/unsynced", encoding: .utf8) == "second\n")
    }

    @Test func `an owner that lost its shard cannot end it cleanly`() throws {
        try makeShard()
        try withShard(BootName.current()) { store throws in
            #expect(try Child.run("claim", folder.shard).lines.last == "done")
            #expect(storeError { try store.endCleanly() }?.code == .fenced)
        }
        #expect(FileManager.default.fileExists(atPath: "\(folder.shard)/unsynced"))
    }

    @Test func `a recovery that was cut short is done again`() throws {
        try makeShard()
        try damage(from: 0, nil)
        // Cut short after the damaged file had got its second name and the copy was half made.
        try FileManager.default.linkItem(atPath: data.path, toPath: kept(1))
        try Data(repeating: 1, count: 100).write(to: URL(fileURLWithPath: "\(data.path).creating"))
        try withShard(second) { store throws in #expect(try fields(store) == ["a": [3]]) }
        #expect(!FileManager.default.fileExists(atPath: kept(2)))
        #expect(!FileManager.default.fileExists(atPath: "\(data.path).creating"))
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func `a recovery that is killed at any moment is finished by a later one`(seed: UInt64) throws {
        print("seed \(seed)")
        var generator = SeededGenerator(seed: seed)
        let large = [UInt8](repeating: 7, count: 6 << 20)
        try withShard(first) { store throws in
            try store.register(Sample.actor, as: Sample.record, state: Sample.set(["a": large]))
            try #require(store.snapshotJob()).run()
            try store.commit([Sample.set(["a": [2]])])
        }
        try damage(from: 8192, [UInt8](repeating: 0x5a, count: 1 << 20))
        let damaged = try Data(contentsOf: data)
        var kills = 0
        // Later and later, so that one gets through.
        func delay() -> UInt32 { .random(in: 0...UInt32(5_000 + 2_000 * kills), using: &generator) }
        while try Child.isKilled("claim", folder.shard, afterMicroseconds: delay()) { kills += 1 }
        print("\(kills) kills")
        try withShard(BootName.current()) { store throws in #expect(try fields(store) == ["a": large]) }
        #expect(try Data(contentsOf: URL(fileURLWithPath: kept(1))) == damaged)
        #expect(ShardNotice(directory: folder.shard).text?.contains("version 1;") == true)
        let names = Set(try FileManager.default.contentsOfDirectory(atPath: folder.shard))
        let expected: Set = ["damaged-1.mdb", "data.mdb", "lock.mdb", "notice", "snapshots", "unsynced"]
        #expect(names == expected)
    }

    @Test func `only the newest two snapshots are kept, readable by their owner alone`() throws {
        try withShard(first) { store throws in
            try store.register(Sample.actor, as: Sample.record, state: Sample.set(["a": [0]]))
            for number: UInt8 in 1...5 {
                try store.commit([Sample.set(["a": [number]])])
                try #require(store.snapshotJob()).run()
            }
        }
        let directory = "\(folder.shard)/snapshots"
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory).sorted() == ["5", "6"])
        for (path, mode) in [("", 0o700), ("/6", 0o700), ("/6/data.mdb", 0o600)] {
            let found = try FileManager.default.attributesOfItem(atPath: directory + path)[.posixPermissions] as? Int
            #expect(found == mode, "\(path)")
        }
        #expect(try ShardCheck.version(of: "\(directory)/6") == 6)
        try withShard(first) { store throws in #expect(try fields(store) == ["a": [5]]) }
    }

    @Test func `a shard whose commits are flushed has neither marker nor snapshots`() throws {
        let store = try ShardStore.open(directory: folder.shard, durability: .disk, boot: first)
        defer { store.close() }
        _ = try store.claim(pid: 1, incarnation: 1)
        try store.register(Sample.actor, as: Sample.record, state: Sample.set(["a": [1]]))
        #expect(store.snapshotJob() == nil)
        try store.endCleanly()
        try store.commit([Sample.set(["a": [2]])])
        #expect(!FileManager.default.fileExists(atPath: "\(folder.shard)/unsynced"))
        #expect(try ShardCheck.version(of: folder.shard) == 2)
    }
}
