import Dispatch
import DurableLMDB
import Foundation
import Testing

@Suite(.timeLimit(.minutes(2)))
struct MapGrowthTests {
    private let folder: Folder

    init() throws { folder = try Folder() }

    @Test func oneLargeWriteGrowsATinyMapAndRunsAgain() throws {
        let environment = try Environment.open(directory: folder.store, options: .small(mapBytes: 64 * 1024))
        let value = [UInt8](repeating: 5, count: 10_000)
        var runs = 0
        try environment.tryWrite { transaction in
            runs += 1
            for number in 0..<200 { try transaction.put("v\(number)".utf8, value, in: environment.main) }
        }
        #expect(runs > 1)
        let statistics = try environment.statistics()
        #expect(statistics.entries["main"] == 200)
        #expect(statistics.mapBytes >= 2_000_000)
        #expect(statistics.usedBytes <= statistics.mapBytes)
    }

    @Test func manySmallWritesNeverMeetAFullMap() throws {
        let environment = try Environment.open(directory: folder.store, options: .small(mapBytes: 256 * 1024))
        let value = [UInt8](repeating: 5, count: 1000)
        var runs = 0
        for number in 0..<600 {
            try environment.tryWrite { transaction in
                runs += 1
                try transaction.put("v\(number)".utf8, value, in: environment.main)
            }
        }
        #expect(runs == 600, "the map grew too late")
        #expect(try environment.statistics().mapBytes > 256 * 1024)
    }

    @Test func aMapAtItsMaximumRefusesAndGoesOn() throws {
        let options = EnvironmentOptions.small(mapBytes: 128 * 1024, mapBytesMax: 512 * 1024)
        let environment = try Environment.open(directory: folder.store, options: options)
        try environment.put("kept", "1")
        let error = #expect(throws: LMDBError.self) {
            try environment.tryWrite { transaction in
                for number in 0..<100 {
                    try transaction.put("v\(number)".utf8, [UInt8](repeating: 5, count: 10_000), in: environment.main)
                }
            }
        }
        #expect(error?.code == .mapFull)
        #expect(error?.message.contains(folder.store) == true && error?.message.contains("mapBytesMax") == true)
        #expect(environment.isUsable)
        try environment.put("kept", "2")
        #expect(try environment.get("kept") == "2")
        #expect(try environment.get("v0") == nil)
    }

    @Test func anErrorSwallowedByTheBodyStillGrowsTheMap() throws {
        let environment = try Environment.open(directory: folder.store, options: .small(mapBytes: 64 * 1024))
        let value = [UInt8](repeating: 5, count: 500_000)
        try environment.tryWrite { transaction in try? transaction.put("v".utf8, value, in: environment.main) }
        #expect(try environment.tryRead { try $0.get("v".utf8, in: environment.main) } == value)
    }

    @Test func theBodysOwnErrorComesThroughWhenTheMapCannotGrow() throws {
        struct Own: Error {}
        let options = EnvironmentOptions.small(mapBytes: 64 * 1024, mapBytesMax: 64 * 1024)
        let environment = try Environment.open(directory: folder.store, options: options)
        #expect(throws: Own.self) {
            try environment.tryWrite { transaction in
                do {
                    try transaction.put("v".utf8, [UInt8](repeating: 5, count: 100_000), in: environment.main)
                } catch { throw Own() }
            }
        }
    }

    @Test func growthWaitsForARunningReadWhichStaysValid() throws {
        let environment = try Environment.open(directory: folder.store, options: .small(mapBytes: 64 * 1024))
        let value = [UInt8](repeating: 5, count: 500_000)
        try environment.put("a", "1")
        let isWritten = DispatchSemaphore(value: 0)
        let attempts = Flag()
        try environment.tryRead { transaction in
            Thread.detachNewThread {
                #expect(throws: Never.self) {
                    try environment.tryWrite { transaction in
                        attempts.raise()
                        try transaction.put("v".utf8, value, in: environment.main)
                    }
                }
                isWritten.signal()
            }
            while !attempts.isRaised { sched_yield() }
            // The write cannot end before this read does, so this wait has to run out.
            #expect(isWritten.wait(timeout: .now() + .milliseconds(100)) == .timedOut)
            // The thread that holds up the growth must get at the map all the same.
            #expect(try environment.get("a") == "1")
            let own = try transaction.get("a".utf8, in: environment.main)
            #expect(own == Array("1".utf8))
        }
        isWritten.wait()
        #expect(try environment.tryRead { try $0.get("v".utf8, in: environment.main) } == value)
    }

    @Test func growthGivesUpOnAReadThatDoesNotEnd() throws {
        var options = EnvironmentOptions.small(mapBytes: 64 * 1024)
        options.growthWait = .milliseconds(20)
        let environment = try Environment.open(directory: folder.store, options: options)
        let isDone = DispatchSemaphore(value: 0)
        try environment.tryRead { _ in
            Thread.detachNewThread {
                let error = #expect(throws: LMDBError.self) {
                    try environment.put("v", String(repeating: "x", count: 500_000))
                }
                #expect(error?.code == .mapFull)
                isDone.signal()
            }
            isDone.wait()
        }
        try environment.put("v", String(repeating: "x", count: 500_000))
        #expect(try environment.get("v")?.utf8.count == 500_000)
    }

    @Test func aMapGrownByAnotherProcessIsAdoptedByReadsAndWrites() throws {
        let environment = try Environment.open(directory: folder.store, options: .small(mapBytes: 64 * 1024))
        for round in 1...3 {
            let worker = try Worker("fill", folder.store, "\(1000 * round)")
            #expect(worker.line() == "done")
            worker.kill()
            if round == 2 { try environment.put("mine", "\(round)") }
            let found = try environment.tryRead { try $0.entries(prefix: "fill".utf8, in: environment.main).count }
            #expect(found == 1000 * round)
        }
        #expect(try environment.get("mine") == "2")
        #expect(try environment.statistics().mapBytes >= 3_000_000)
    }
}
