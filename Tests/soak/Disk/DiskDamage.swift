import DurableActors
import DurableChaos
import DurableCore
import DurableSupervisor
import Glibc

/// What can become of the bytes of a file that nobody has open.
enum DiskDamage: String, CaseIterable, Sendable {
    case bit = "a bit flipped"
    case metaBit = "a bit of a meta page flipped"
    case truncation = "a file cut"
    case zeroPage = "a page zeroed"

    /// Bytes that are not those any more.
    func apply(to bytes: [UInt8], choose: (ClosedRange<Int>) -> Int) -> [UInt8] {
        var bytes = bytes
        let pages = bytes.count / 4096
        switch self {
        case .bit:
            var offset = choose(8192...bytes.count - 1)
            // Most of a file is zero and holds nothing.
            for _ in 0..<100 where bytes[offset] == 0 { offset = choose(8192...bytes.count - 1) }
            bytes[offset] ^= 1 << UInt8(choose(0...7))
        case .metaBit: bytes[choose(0...1) * 4096 + choose(0...151)] ^= 1 << UInt8(choose(0...7))
        case .truncation: bytes.removeLast(choose(1...bytes.count))
        case .zeroPage:
            let page = choose(0...pages - 1)
            for offset in page * 4096..<(page + 1) * 4096 { bytes[offset] = 0 }
        }
        return bytes
    }
}

/// Shards and a registry that are damaged while nobody works on them.
extension DiskEpisode {
    private static let name = "damaged"
    /// Many bits hold nothing: an episode goes on until one was found that does.
    private static let (damagesMin, damagesMax) = (3, 60)

    func damageShard(_ damage: DiskDamage, _ level: Durability) async throws {
        let scratch = try TrialDirectory()
        let contents = try await store(in: scratch, level)
        let file = "\(RuntimeLayout(directory: scratch.file("data")).shard(1))/data.mdb"
        let sound = try readFile(file)
        for turn in 0..<Self.damagesMax where turn < Self.damagesMin || report.bites == 0 {
            let bytes = damage.apply(to: sound, choose: choose)
            try writeFile(bytes, to: file)
            let what = "\(damage.rawValue): \(difference(sound, bytes))"
            try await look(scratch, what, contents, file, bytes, sound: damage == .bit ? sound : nil)
            // The quarantine is the supervisor's, whose next life looks anew.
            try writeFile(sound, to: file)
        }
        try await expect(contents, in: scratch)
    }

    func damageRegistry() async throws {
        let scratch = try TrialDirectory()
        let contents = try await store(in: scratch, .disk)
        let file = "\(RuntimeLayout(directory: scratch.file("data")).supervisor)/data.mdb"
        let sound = try readFile(file)
        for turn in 0..<Self.damagesMax where turn < Self.damagesMin || report.bites == 0 {
            let bytes = DiskDamage.bit.apply(to: sound, choose: choose)
            try writeFile(bytes, to: file)
            try await look(scratch, "the registry: \(difference(sound, bytes))", contents, nil, bytes)
            try writeFile(sound, to: file)
        }
        try await expect(contents, in: scratch)
    }

    /// Fills a passbook, and ends everything in a way that keeps it.
    private func store(in scratch: TrialDirectory, _ level: Durability) async throws -> Passbook.Contents {
        let runtime = try await ActorRuntime.start(directory: scratch.file("data"))
        let contents = try await withPatience(.seconds(30), of: [runtime], "filling a passbook") { [self] in
            let book = try await runtime.getOrCreate(Passbook.self, name: Self.name, options: Self.options(level))
            let witness = PassbookWitness()
            _ = try await book.pad(choose(0...20_000))
            // The last commit changes what is looked at later: a state from before it is another one.
            for _ in 0..<choose(20...60) { await witness.enter(book) }
            let contents = try await book.all()
            settle(witness, contents)
            return contents
        }
        try await end(runtime)
        return contents
    }

    /// Ends all processes of a runtime and keeps what detached actors have.
    private func end(_ runtime: ActorRuntime) async throws {
        guard let supervisor = runtime.supervisorProcessID else { throw LaneError("there is no supervisor") }
        let workers = ProcessTable.children(of: supervisor)
        await runtime.shutdown()
        for pid in [supervisor] + workers { kill(pid, SIGKILL) }
        guard
            await isReached(within: .seconds(20), { ([supervisor] + workers).allSatisfy { !ProcessTable.isAlive($0) } })
        else { throw LaneError("a runtime does not end") }
    }

    /// What is found is what was stored, or an error that says that it cannot be read.
    private func look(
        _ scratch: TrialDirectory,
        _ what: String,
        _ contents: Passbook.Contents,
        _ file: String?,
        _ bytes: [UInt8],
        sound: [UInt8]? = nil
    ) async throws {
        let runtime: ActorRuntime
        do {
            runtime = try await ActorRuntime.start(directory: scratch.file("data"))
        } catch let error as ActorError where file == nil && error.code == .directoryUnusable {
            bite(1)
            return
        } catch {
            return violate("\(what): the runtime does not start: \(error)")
        }
        do {
            let found = try await withPatience(.seconds(40), of: [runtime], "looking at damage") {
                try await runtime.getActor(Passbook.self, name: Self.name).all()
            }
            if found == contents {
                see("damage of bytes that hold nothing")
            } else if let sound, Self.isStructure(sound, bytes) {
                // LMDB has no checksum for its own numbers and for keys, and rows have none for theirs: a known gap.
                see("another state was served after damage of a key or of a page's own numbers")
            } else {
                violate("\(what): \(found.count) tickets were served, \(contents.count) were stored")
            }
        } catch let error as ActorError where error.code == .quarantined {
            bite(1)
            // The life that found out has claimed the shard before it read all of it.
            if let file, try readFile(file).count < bytes.count { violate("\(what): the damaged file was not kept") }
        } catch {
            violate("\(what): who looked was told: \(error)")
        }
        try await end(runtime)
    }

    private func expect(_ contents: Passbook.Contents, in scratch: TrialDirectory) async throws {
        let runtime = try await ActorRuntime.start(directory: scratch.file("data"))
        let found = try await withPatience(.seconds(40), of: [runtime], "looking at sound bytes") {
            let book = try await runtime.getActor(Passbook.self, name: Self.name)
            let found = try await book.all()
            try await runtime.kill(book)
            return found
        }
        if found != contents { violate("with its sound bytes back it has \(found.count) tickets of \(contents.count)") }
        await runtime.shutdown()
    }

    /// Whether the byte that differs is none of a row's value: it is of a page's header, a branch, a node's head or its
    /// key, or of the record of a tree.
    private static func isStructure(_ sound: [UInt8], _ bytes: [UInt8]) -> Bool {
        guard let offset = zip(sound, bytes).enumerated().first(where: { $1.0 != $1.1 })?.offset else { return false }
        func number(_ at: Int) -> Int { Int(sound[at]) | Int(sound[at + 1]) << 8 }
        let page = offset / 4096 * 4096
        // A leaf's flag is 2; pages of long values have a header only at their beginning.
        guard number(page + 10) == 2 else { return number(page + 10) == 1 }
        let nodes = (0..<max(0, (number(page + 12) - 16) / 2)).map { page + number(page + 16 + 2 * $0) }
        return !nodes.contains { node in
            let isTree = number(node + 4) & 2 != 0
            let value = node + 8 + number(node + 6)
            return !isTree && (value..<value + number(node)).contains(offset)
        }
    }

    private func difference(_ one: [UInt8], _ other: [UInt8]) -> String {
        guard one.count == other.count else { return "cut to \(other.count) of \(one.count) bytes" }
        let offset = zip(one, other).enumerated().first { $1.0 != $1.1 }?.offset ?? -1
        return "page \(offset / 4096), byte \(offset % 4096) of \(one.count / 4096) pages"
    }

    private func readFile(_ path: String) throws -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw LaneError("\(path) cannot be read: \(String(cString: strerror(errno)))") }
        defer { close(file) }
        var status = stat()
        fstat(file, &status)
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        let count = pread(file, &bytes, bytes.count, 0)
        return Array(bytes.prefix(max(0, count)))
    }

    private func writeFile(_ bytes: [UInt8], to path: String) throws {
        let file = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC)
        guard file >= 0 else { throw LaneError("\(path) cannot be written: \(String(cString: strerror(errno)))") }
        defer { close(file) }
        guard pwrite(file, bytes, bytes.count, 0) == bytes.count else { throw LaneError("\(path) was written in part") }
    }
}
