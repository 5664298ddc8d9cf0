import Dispatch
import DurableLMDB
import Foundation
import Testing

@Suite(.timeLimit(.minutes(2)))
struct TransactionTests {
    private let folder: Folder

    init() throws { folder = try Folder() }

    struct Refused: Error {}

    @Test func committedValuesAreThereAfterReopening() throws {
        let environment = try Environment.small(at: folder.store)
        let large = [UInt8](repeating: 9, count: 100_000)
        try environment.tryWrite { transaction in
            try transaction.put("a".utf8, "1".utf8, in: environment.main)
            try transaction.put("empty".utf8, [], in: environment.main)
            try transaction.put([0, 255], large, in: environment.database("other"))
        }
        environment.close()
        let again = try Environment.small(at: folder.store)
        try again.tryRead { transaction in
            let value = try transaction.get("a".utf8, in: again.main)
            #expect(value == Array("1".utf8))
            let empty = try transaction.get("empty".utf8, in: again.main)
            #expect(empty == [])
            let other = try transaction.get([0, 255], in: again.database("other"))
            #expect(other == large)
            let absent = try transaction.get([0, 255], in: again.main)
            #expect(absent == nil)
            let isThere = try transaction.contains("a".utf8, in: again.main)
            #expect(isThere)
            let isElsewhere = try transaction.contains("b".utf8, in: again.main)
            #expect(!isElsewhere)
            let length = try transaction.withValue("a".utf8, in: again.main) { $0.count }
            #expect(length == 1)
            let count = try transaction.count(in: again.main)
            #expect(count == 2)
        }
        #expect(again.storedFormat == StoreFormat(name: "test", version: 3))
    }

    @Test func aThrowingBodyLeavesNothingBehind() throws {
        let environment = try Environment.small(at: folder.store)
        try environment.put("a", "old")
        #expect(throws: Refused.self) {
            try environment.tryWrite { transaction in
                try transaction.put("a".utf8, "new".utf8, in: environment.main)
                try transaction.put("b".utf8, "new".utf8, in: environment.main)
                throw Refused()
            }
        }
        #expect(try environment.get("a") == "old")
        #expect(try environment.get("b") == nil)
        try environment.put("b", "later")
        #expect(try environment.get("b") == "later")
    }

    @Test func aWriteReadsItsOwnChangesAndAReadDoesNot() throws {
        let environment = try Environment.small(at: folder.store)
        try environment.put("a", "old")
        try environment.tryWrite { transaction in
            try transaction.put("a".utf8, "new".utf8, in: environment.main)
            let own = try transaction.get("a".utf8, in: environment.main)
            #expect(own == Array("new".utf8))
            #expect(try environment.get("a") == "old")
        }
        #expect(try environment.get("a") == "new")
    }

    @Test func aReadKeepsItsViewWhileAnotherThreadCommits() throws {
        let environment = try Environment.small(at: folder.store)
        try environment.put("a", "old")
        try environment.tryRead { transaction in
            let isCommitted = DispatchSemaphore(value: 0)
            Thread.detachNewThread {
                #expect(throws: Never.self) { try environment.put("a", "new") }
                isCommitted.signal()
            }
            isCommitted.wait()
            let seen = try transaction.get("a".utf8, in: environment.main)
            #expect(seen == Array("old".utf8))
        }
        #expect(try environment.get("a") == "new")
    }

    @Test func putWithoutOverwritingReportsAnExistingKey() throws {
        let environment = try Environment.small(at: folder.store)
        try environment.put("a", "old")
        let error = #expect(throws: LMDBError.self) {
            try environment.tryWrite { try $0.put("a".utf8, "new".utf8, in: environment.main, overwriting: false) }
        }
        #expect(error?.code == .keyExists)
        #expect(try environment.get("a") == "old")
    }

    @Test(arguments: [0, 512, 5000]) func keysOfTheWrongLengthAreRefusedWithoutHarm(_ length: Int) throws {
        let environment = try Environment.small(at: folder.store)
        let key = [UInt8](repeating: 1, count: length)
        let error = #expect(throws: LMDBError.self) {
            try environment.tryWrite { try $0.put(key, [1], in: environment.main) }
        }
        #expect(error?.code == .badValueSize)
        #expect(throws: LMDBError.self) { try environment.tryRead { try $0.get(key, in: environment.main) } }
        let longest = [UInt8](repeating: 1, count: 511)
        try environment.tryWrite { try $0.put(longest, [1], in: environment.main) }
        #expect(try environment.tryRead { try $0.get(longest, in: environment.main) } == [1])
    }

    @Test func aNestedWriteIsRefusedInsteadOfWaitingForItself() throws {
        let environment = try Environment.small(at: folder.store)
        let codes = try environment.tryWrite { transaction in
            try transaction.put("outer".utf8, [1], in: environment.main)
            let error = #expect(throws: LMDBError.self) { try environment.put("inner", "x") }
            return error?.code
        }
        #expect(codes == .nested)
        let inRead = try environment.tryRead { _ in
            #expect(throws: LMDBError.self) { try environment.put("inner", "x") }?.code
        }
        #expect(inRead == .nested)
        #expect(try environment.get("outer") != nil)
        #expect(try environment.get("inner") == nil)
    }

    @Test func readsCanBeNested() throws {
        let environment = try Environment.small(at: folder.store)
        try environment.put("a", "1")
        let value = try environment.tryRead { _ in try environment.tryRead { _ in try environment.get("a") } }
        #expect(value == "1")
    }

    @Test func writersOfManyThreadsTakeTurns() async throws {
        let environment = try Environment.small(at: folder.store)
        let writers = 4
        let rounds = 50
        try await withThrowingTaskGroup { group in
            for _ in 0..<writers {
                group.addTask {
                    for _ in 0..<rounds {
                        try environment.tryWrite { transaction in
                            let count = try transaction.get("count".utf8, in: environment.main) ?? [0, 0]
                            let next = Int(count[0]) * 256 + Int(count[1]) + 1
                            let bytes = [UInt8(next / 256), UInt8(next % 256)]
                            try transaction.put("count".utf8, bytes, in: environment.main)
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        let count = try environment.tryRead { try $0.get("count".utf8, in: environment.main) }
        #expect(count == [UInt8(writers * rounds / 256), UInt8(writers * rounds % 256)])
    }

    /// Each write stores the same number under many keys, over a map that has to grow several times meanwhile: every
    /// read sees one number only, and never an older one than before.
    @Test func readersSeeWholeCommitsInOrderWhileTheMapGrows() async throws {
        let environment = try Environment.open(directory: folder.store, options: .small(mapBytes: 128 * 1024))
        let isDone = Flag()
        try await withThrowingTaskGroup { group in
            for _ in 0..<2 {
                group.addTask {
                    var last = 0
                    while !isDone.isRaised {
                        let numbers = try environment.tryRead { transaction in
                            var numbers: Set<Int> = []
                            try transaction.forEach(prefix: "k".utf8, in: environment.main) { _, value in
                                numbers.insert(value.loadUnaligned(as: Int.self))
                                return true
                            }
                            return numbers
                        }
                        #expect(numbers.count <= 1, "a read saw parts of two commits: \(numbers)")
                        let seen = numbers.first ?? 0
                        #expect(seen >= last)
                        last = seen
                    }
                }
            }
            for round in 1...60 {
                try environment.tryWrite { transaction in
                    let value = withUnsafeBytes(of: round) { Array($0) } + [UInt8](repeating: 0, count: round * 100)
                    for key in 0..<50 { try transaction.put("k\(key)".utf8, value, in: environment.main) }
                }
            }
            isDone.raise()
            try await group.waitForAll()
        }
        #expect(try environment.statistics().mapBytes > 128 * 1024)
    }

    @Test func aClosedEnvironmentRefusesEverythingAndClosesTwice() throws {
        let environment = try Environment.small(at: folder.store)
        try environment.put("a", "1")
        #expect(environment.isUsable)
        environment.close()
        environment.close()
        #expect(!environment.isUsable)
        #expect(throws: LMDBError.self) { try environment.put("a", "2") }
        #expect(throws: LMDBError.self) { try environment.sync() }
        #expect(throws: LMDBError.self) { try environment.checkReaders() }
        #expect(throws: LMDBError.self) { try environment.copy(to: folder.path + "/copy") }
        let error = #expect(throws: LMDBError.self) { try environment.get("a") }
        #expect(error?.code == .closed)
        #expect(try folder.contents() == ["store"])
    }

    @Test func theFormatVersionCanBeRaisedByAMigration() throws {
        try Environment.open(directory: folder.store, options: .small(version: 2)).close()
        let environment = try Environment.open(directory: folder.store, options: .small(version: 3))
        #expect(environment.storedFormat.version == 2)
        try environment.tryWrite { try $0.setFormatVersion(3) }
        environment.close()
        #expect(refusal(opening: folder.store, .small(version: 2))?.code == .newerFormat)
        #expect(try Environment.small(at: folder.store).storedFormat.version == 3)
    }

    @Test func aReadOnlyEnvironmentReadsAndRefusesWrites() throws {
        let writer = try Environment.small(at: folder.store)
        try writer.put("a", "1")
        writer.close()
        let before = try FileBytes(folder.store)
        let reader = try Environment.open(directory: folder.store, options: .small(readOnly: true))
        #expect(try reader.get("a") == "1")
        #expect(throws: LMDBError.self) { try reader.put("a", "2") }
        reader.close()
        #expect(try FileBytes(folder.store) == before)
        #expect(refusal(opening: folder.path + "/none", .small(readOnly: true))?.code == .missing)
        #expect(try folder.contents() == ["store"])
    }

    @Test func aValueCanBeWrittenWhereItIsKept() throws {
        let environment = try Environment.small(at: folder.store)
        let main = environment.main
        for count in [0, 1, 100, 5_000] {
            let key: [UInt8] = [1, 2]
            let value = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
            try environment.tryWrite { transaction in
                try transaction.put(key, byteCount: count, in: main) { $0.copyBytes(from: value) }
                let written = try transaction.get(key, in: main)
                #expect(written == value)
            }
            let stored = try environment.tryRead { try $0.get(key, in: main) }
            #expect(stored == value)
        }
        for key in [[], [UInt8](repeating: 1, count: 512)] {
            let error = #expect(throws: LMDBError.self) {
                try environment.tryWrite { try $0.put(key, byteCount: 1, in: main) { $0[0] = 0 } }
            }
            #expect(error?.code == .badValueSize)
        }
    }
}
