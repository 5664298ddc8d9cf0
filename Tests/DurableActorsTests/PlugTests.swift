import CBOR
import DurableActors
import DurableChaos
import DurableCore
import DurableStore
import Foundation
import Glibc
import Testing

/// The plug is pulled: what a worker wrote and flushed is recorded, and the file is put together again as it can be at
/// any moment: all that was flushed by then, and any part of what was written since, sector by sector.
@Suite(.serialized) struct PlugTests {
    private static let appends = 200
    private static let cuts = 300
    private let scratch = ScratchDirectory()

    /// The actor's history as the file in the directory has it.
    private func history(_ directory: String) throws -> [Int] {
        let field = try ShardReader.read(directory).actors.first?.fields["history"]
        guard case .value(let bytes) = field?.property else { return [] }
        return try CBORDecoder().decode([Int].self, from: bytes)
    }

    /// Appends 1, 2 and so on, each acknowledged, and returns what was written meanwhile and how far it was at each
    /// acknowledgement.
    private func trace(_ level: Durability) async throws -> (disk: DiskTrace, acknowledged: [Int]) {
        let faults = try DiskFaults(scratch, recording: true)
        defer { faults.end() }
        return try await ActorRuntime.withRuntime(directory: faults.directory) { runtime in
            let options = ActorOptions(maxRestarts: .unlimited, maxTaskRetries: .unlimited, durability: level)
            let counter = try await runtime.spawn(Counter.self, options: options)
            #expect(try await counter.append(1) == 1)
            let before = Attempts.count(in: faults.record)
            let base = try Data(contentsOf: URL(fileURLWithPath: "\(faults.directory)/shards/1/data.mdb"))
            var acknowledged: [Int] = []
            for element in 2...Self.appends {
                #expect(try await counter.append(element) == 1)
                acknowledged.append(Attempts.count(in: faults.record) - before)
            }
            let record = try Data(contentsOf: URL(fileURLWithPath: faults.record)).dropFirst(before)
            return (try DiskTrace(base: base, record: Data(record)), acknowledged)
        }
    }

    @Test func `with .disk everything acknowledged by that moment is there`() async throws {
        let (disk, acknowledged) = try await trace(.disk)
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var generator = SeededGenerator(seed: seed)
        let directory = scratch.file("after")
        #expect(mkdir(directory, 0o700) == 0)
        for _ in 0..<Self.cuts {
            let cut = Int.random(in: 0...disk.operations.count, using: &generator)
            try disk.image(at: cut, &generator).write(to: URL(fileURLWithPath: "\(directory)/data.mdb"))
            // LMDB would end this process over a torn file.
            do { _ = try ShardCheck.version(of: directory) } catch {
                Issue.record("seed \(seed), cut \(cut): \(error)")
                continue
            }
            let found = try history(directory)
            let count = 1 + acknowledged.count { $0 <= disk.position(cut) }
            #expect(found == Array(1...max(1, found.count)))
            #expect((count...count + 1).contains(found.count), "seed \(seed), cut \(cut): \(count) acknowledged")
        }
    }

    @Test func `what a dead worker has left is flushed before the next life writes anything`() async throws {
        let faults = try DiskFaults(scratch, recording: true)
        defer { faults.end() }
        try await ActorRuntime.withRuntime(directory: faults.directory) { runtime in
            let counter = try await runtime.spawn(Counter.self, options: .resilient)
            #expect(try await counter.append(1) == 1)
            let before = Attempts.count(in: faults.record)
            kill(try await counter.processID(), SIGKILL)
            #expect(try await counter.append(2) == 1)
            let record = try Data(contentsOf: URL(fileURLWithPath: faults.record)).dropFirst(before)
            let kinds = try DiskTrace(base: Data(), record: Data(record)).operations.map(\.kind)
            #expect(kinds.count > 2 && kinds.first == 2, "\(kinds)")
        }
    }

    @Test func `with .process the state is that of one commit, or the damage is found`() async throws {
        let (disk, acknowledged) = try await trace(.process)
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var generator = SeededGenerator(seed: seed)
        let directory = scratch.file("after")
        #expect(mkdir(directory, 0o700) == 0)
        var sound = 0
        for _ in 0..<Self.cuts {
            // Nothing was flushed, so most cuts come soon after the beginning to leave a chance.
            let cut = Int.random(
                in: 0...Int.random(in: 1...disk.operations.count, using: &generator),
                using: &generator
            )
            try disk.image(at: cut, &generator).write(to: URL(fileURLWithPath: "\(directory)/data.mdb"))
            do {
                _ = try ShardCheck.version(of: directory)
            } catch {
                #expect(error.code == .unreadable)
                continue
            }
            sound += 1
            let found = try history(directory)
            #expect(found == Array(1...max(1, found.count)), "seed \(seed), cut \(cut)")
            #expect(found.count <= 2 + acknowledged.count { $0 <= disk.position(cut) })
        }
        print("\(sound) of \(Self.cuts) were sound")
    }
}

/// What was done to a file, in order.
struct DiskTrace {
    struct Operation {
        var kind: UInt32
        var offset: Int
        var bytes: Data
        /// Where the record of it ends.
        var end: Int
    }

    let base: Data
    private(set) var operations: [Operation] = []

    init(base: Data, record: Data) throws {
        self.base = base
        var start = 0
        while start < record.count {
            let head = record[start..<start + 16]
            func number<Number: FixedWidthInteger>(_ position: Int, _ type: Number.Type) -> Number {
                head.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: position, as: type) }
            }
            let length = Int(number(4, UInt32.self))
            let end = start + 16 + length
            try #require(end <= record.count)
            let bytes = Data(record[start + 16..<end])
            operations.append(
                Operation(kind: number(0, UInt32.self), offset: Int(number(8, UInt64.self)), bytes: bytes, end: end)
            )
            start = end
        }
    }

    /// How far the record had come when this many operations were done.
    func position(_ cut: Int) -> Int { cut == 0 ? 0 : operations[cut - 1].end }

    /// The file as the disk can have it when this many operations were done and the next was under way.
    func image(at cut: Int, _ generator: inout SeededGenerator) -> Data {
        let flushed = operations[..<cut].lastIndex { $0.kind == 2 } ?? 0
        var image = base
        for (index, operation) in operations[..<min(cut + 1, operations.count)].enumerated() {
            let isThere = index < flushed || (operation.kind == 3 && index < cut)
            for start in stride(from: 0, to: operation.bytes.count, by: 512)
            where isThere || Bool.random(using: &generator) {
                let part = operation.bytes[start..<min(start + 512, operation.bytes.count)]
                let end = operation.offset + start + part.count
                if image.count < end { image += Data(count: end - image.count) }
                image.replaceSubrange(operation.offset + start..<end, with: part)
            }
        }
        return image
    }
}
