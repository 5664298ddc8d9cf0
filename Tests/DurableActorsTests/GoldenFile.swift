import DurableActors
import DurableCore
import DurableLMDB
import Foundation
import Testing

@testable import DurableStore

/// The rows of a shard as text: what a build has stored, kept for all later ones.
///
/// A line is a database, a key and a value in hexadecimal; `(61*300)` stands for a byte that comes 300 times. What
/// differs from run to run is replaced: the ids of actor and session, the owner's process, times.
struct GoldenFile: Equatable {
    struct Row: Equatable, Comparable, CustomStringConvertible {
        var database: String
        var key: [UInt8]
        var value: [UInt8]

        var description: String { "\(database) \(Hexadecimal.text(key)) \(Hexadecimal.text(value))" }

        static func < (left: Row, right: Row) -> Bool {
            (left.database, Hexadecimal.text(left.key)) < (right.database, Hexadecimal.text(right.key))
        }
    }

    static let actor = ActorID(high: 0xaaaa_aaaa_aaaa_aaaa, low: 0xaaaa_aaaa_aaaa_aaaa)
    static let session = SessionID(high: 0xbbbb_bbbb_bbbb_bbbb, low: 0xbbbb_bbbb_bbbb_bbbb)
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Golden").path

    static var path: String { "\(folder)/format-\(ShardLayout.format.version).txt" }
    static var all: [String] {
        get throws {
            try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".txt") }.sorted()
        }
    }

    var rows: [Row]

    var text: String {
        rows.reduce(into: "# What a build has stored for GoldenActor. Never changed; see GoldenTests.swift.\n") {
            $0 += "\($1)\n"
        }
    }

    init(text: String) throws {
        rows = try text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
            let parts = line.split(separator: " ", omittingEmptySubsequences: false)
            try #require(parts.count == 3, "\(line)")
            return Row(
                database: String(parts[0]),
                key: try Hexadecimal.bytes(parts[1]),
                value: try Hexadecimal.bytes(parts[2])
            )
        }
    }

    init(file: String) throws { try self.init(text: String(contentsOfFile: file, encoding: .utf8)) }

    /// Reads a shard that nobody has open.
    init(shard directory: String, of actor: ActorID) throws {
        let environment = try Self.open(directory)
        defer { environment.close() }
        rows = []
        try environment.tryRead { transaction throws in
            for database in ShardLayout.databases {
                for (key, value) in try transaction.entries(prefix: [], in: environment.database(database)) {
                    rows.append(Row(database: database, key: Array(key), value: Array(value)))
                }
            }
        }
        // The checksum over all rows depends on times and ids, which differ from run to run.
        rows = try rows.filter { $0.key != ShardLayout.contentsKey }.map { try Self.settled($0, actor) }.sorted()
    }

    /// Puts the rows in place of those of a shard that nobody has open.
    func replace(shard directory: String, of actor: ActorID) throws {
        let environment = try Self.open(directory)
        defer { environment.close() }
        try environment.tryWrite { transaction throws in
            for database in ShardLayout.databases { try transaction.deleteAll(in: environment.database(database)) }
            for row in rows {
                let key = Self.replacing(Self.actor.bytes, with: actor.bytes, in: row.key)
                try transaction.put(key, row.value, in: environment.database(row.database))
            }
        }
    }

    private static func open(_ directory: String) throws -> Environment {
        let options = EnvironmentOptions(format: ShardLayout.format, databases: ShardLayout.databases)
        return try Environment.open(directory: directory, options: options)
    }

    private static func settled(_ row: Row, _ actor: ActorID) throws -> Row {
        var row = row
        row.key = replacing(actor.bytes, with: Self.actor.bytes, in: row.key)
        if row.database == ShardLayout.done { row.key.replaceSubrange(16..<32, with: session.bytes) }
        if row.database == ShardLayout.done, row.key.suffix(8).allSatisfy({ $0 == 0 }) {
            var session = try SessionRow(decoding: row.value)
            session.lastSeen = 1
            row.value = StoredValue.seal(session.payload())
        }
        guard row.database == ShardLayout.meta else { return row }
        if row.key == ShardLayout.clockKey {
            let boot = BootID(high: 0xcccc_cccc_cccc_cccc, low: 0xcccc_cccc_cccc_cccc)
            let reading = ClockReading(boot: boot, bootMilliseconds: 1, wallMilliseconds: 1)
            row.value = ShardClock(milliseconds: 1, at: reading).encoded()
        }
        if row.key == ShardLayout.fenceKey {
            var fence = try Fence(decoding: row.value)
            fence.pid = 1
            row.value = fence.encoded()
        } else if row.key.starts(with: Array("schema".utf8)) {
            let opened = try StoredValue.open(row.value)
            var schema = try CBORDecoder().decode(StoredSchema.self, from: opened.payload)
            schema.milliseconds = 1
            row.value = StoredValue.seal(try CBOREncoder().encode(schema), schemaVersion: opened.schema)
        }
        return row
    }

    private static func replacing(_ old: [UInt8], with new: [UInt8], in key: [UInt8]) -> [UInt8] {
        guard let place = key.firstRange(of: old) else { return key }
        return Array(key[..<place.lowerBound]) + new + Array(key[place.upperBound...])
    }
}

/// Bytes as text.
private enum Hexadecimal {
    static func text(_ bytes: [UInt8]) -> String {
        var text = ""
        var index = 0
        while index < bytes.count {
            let run = bytes[index...].prefix { $0 == bytes[index] }.count
            let digits = (bytes[index] < 16 ? "0" : "") + String(bytes[index], radix: 16)
            text += run < 16 ? digits : "(\(digits)*\(run))"
            index += run < 16 ? 1 : run
        }
        return text
    }

    static func bytes(_ text: Substring) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = text
        while !rest.isEmpty {
            let isRun = rest.first == "("
            let digits = rest.dropFirst(isRun ? 1 : 0).prefix(2)
            let byte = try #require(UInt8(digits, radix: 16), "\(rest.prefix(20))")
            guard isRun else {
                bytes.append(byte)
                rest = rest.dropFirst(2)
                continue
            }
            let end = try #require(rest.firstIndex(of: ")"))
            let count = try #require(Int(rest[..<end].dropFirst(4)))
            bytes += [UInt8](repeating: byte, count: count)
            rest = rest[rest.index(after: end)...]
        }
        return bytes
    }
}
