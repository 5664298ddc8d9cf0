import DurableLMDB
import Foundation
import Testing

/// The reader of data files that does without LMDB.
@Suite(.timeLimit(.minutes(2)))
struct WalkTests {
    private typealias Rows = [[UInt8]: [UInt8]]

    private func walk(_ directory: String) throws -> Rows {
        var rows: Rows = [:]
        try DataFileWalk.run(directory: directory, format: EnvironmentOptions.small().format) { database, key, value in
            rows[Array(database.utf8) + [0] + key] = value
        }
        return rows
    }

    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func `it finds exactly what LMDB finds, whatever was stored and deleted`(seed: UInt64) throws {
        print("seed \(seed)")
        let folder = try Folder()
        var generator = SplitMix(state: seed)
        let environment = try Environment.small(at: folder.store)
        var model: Rows = [:]
        for _ in 0..<60 {
            try environment.tryWrite { transaction in
                for _ in 0..<Int.random(in: 1...40, using: &generator) {
                    let number = Int.random(in: 0..<400, using: &generator)
                    let key = Array("key \(number)".utf8) + [UInt8](repeating: 1, count: number)
                    if Int.random(in: 0..<3, using: &generator) == 0 {
                        try transaction.delete(key, in: environment.main)
                        model[Array("main\0".utf8) + key] = nil
                    } else {
                        let count = [0, 10, 1500, 9000][Int.random(in: 0..<4, using: &generator)]
                        let value = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: count)
                        try transaction.put(key, value, in: environment.main)
                        model[Array("main\0".utf8) + key] = value
                    }
                }
            }
        }
        environment.close()
        #expect(try walk(folder.store) == model)
    }

    @Test(arguments: 1...40 as ClosedRange<UInt64>)
    func `a page of garbage is found or belongs to nobody`(seed: UInt64) throws {
        print("seed \(seed)")
        let folder = try Folder()
        var generator = SplitMix(state: seed)
        let environment = try Environment.small(at: folder.store)
        for round in 0..<4 {
            for number in 0..<60 {
                let value = [UInt8](repeating: UInt8(round), count: 300 * (number % 30))
                try environment.tryWrite { try $0.put("key \(number)".utf8, value, in: environment.main) }
            }
        }
        environment.close()
        let rows = try walk(folder.store)
        let file = URL(fileURLWithPath: folder.store + "/data.mdb")
        var bytes = try Data(contentsOf: file)
        let page = Int.random(in: 0..<bytes.count / 4096, using: &generator)
        for index in page * 4096..<page * 4096 + 4096 { bytes[index] = UInt8.random(in: 0...255, using: &generator) }
        try bytes.write(to: file)
        do {
            // Values have no checksum here, so one that has changed in its middle is another value.
            let found = try walk(folder.store)
            #expect(Set(found.keys) == Set(rows.keys))
        } catch let error as LMDBError {
            #expect([.damaged, .notOurs, .versionMismatch].contains(error.code), "\(error)")
        }
    }
}

private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
