import DurableActors
import Foundation
import Testing

/// A file is as durable as its name, and that as the names of the directories above of it.
@Suite(.serialized) struct DurableNamesTests {
    private struct Record {
        var kind: UInt32
        var file: UInt64
        var number: UInt64
        var name: String
    }

    private let scratch = ScratchDirectory()

    /// What the runtime's processes did to files and directories, in order, while an actor was created and called.
    private func records() throws -> [Record] {
        let executable = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let products = URL(fileURLWithPath: executable).deletingLastPathComponent()
        let log = scratch.file("trace")
        let driver = try TestProcess(
            [scratch.file("new/data"), "counter", "1"],
            environment: [
                "LD_PRELOAD": products.appendingPathComponent("libWriteTraceShim.so").path,
                "WRITE_TRACE_LOG": log, "WRITE_TRACE_DIRECTORY": scratch.path,
            ]
        )
        defer { driver.end() }
        let bytes = try Data(contentsOf: URL(fileURLWithPath: log))
        var (records, start): ([Record], Int) = ([], 0)
        while start + 24 <= bytes.count {
            let (kind, length, file, number) = bytes.withUnsafeBytes {
                (
                    $0.loadUnaligned(fromByteOffset: start, as: UInt32.self),
                    Int($0.loadUnaligned(fromByteOffset: start + 4, as: UInt32.self)),
                    $0.loadUnaligned(fromByteOffset: start + 8, as: UInt64.self),
                    $0.loadUnaligned(fromByteOffset: start + 16, as: UInt64.self)
                )
            }
            let text = String(decoding: bytes[start + 24..<start + 24 + length], as: UTF8.self)
            records.append(Record(kind: kind, file: file, number: number, name: kind == 7 ? text : ""))
            start += 24 + length
        }
        return records
    }

    @Test func `the names of all directories of a runtime are durable before a change is acknowledged`() throws {
        let (syncedWrite, syncBegin, mkdir): (UInt32, UInt32, UInt32) = (2, 4, 7)
        let records = try records()
        let committed = try #require(records.lastIndex { $0.kind == syncedWrite }, "the call was acknowledged")
        for name in ["new", "data", "supervisor", "shards", "1"] {
            let made = try #require(records.firstIndex { $0.kind == mkdir && $0.name == name }, "\(name) was made")
            let parent = records[made].number
            let isSynced = records[made..<committed].contains { $0.kind == syncBegin && $0.file == parent }
            #expect(isSynced, "a power loss can take the directory \(name)")
        }
    }
}
