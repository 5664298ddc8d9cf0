internal import DurableCore
internal import Glibc

/// What a backup consists of: a text file, a line for each file, closed by its own checksum.
struct Manifest {
    /// A file of the backup.
    struct File: Hashable {
        /// Below the backup's directory.
        var path: String
        var bytes: UInt64
        /// CRC-32C of the whole file.
        var checksum: UInt32
        /// Of a shard: its owner's number and its version.
        var epoch: Epoch = 0
        var version: UInt64 = 0
    }

    static let first = "durable-backup 1"
    /// Room for the lines of two million shards.
    private static let bytesMax = 256 << 20

    /// When the cut was made, in milliseconds since 1970.
    var milliseconds: Int64
    var files: [File]

    static func path(in directory: String) -> String { "\(directory)/manifest" }

    var text: String {
        var lines = [Self.first, "time \(milliseconds) \(WallClock.text(milliseconds: milliseconds)) UTC"]
        for file in files {
            let checksum = Self.hexadecimal(file.checksum)
            lines.append(
                "file \(file.path) bytes \(file.bytes) crc32c \(checksum) epoch \(file.epoch) version \(file.version)"
            )
        }
        let body = lines.map { $0 + "\n" }.joined()
        return body + "end crc32c \(Self.hexadecimal(CRC32C.checksum(body.utf8)))\n"
    }

    init(milliseconds: Int64, files: [File]) {
        self.milliseconds = milliseconds
        self.files = files
    }

    /// Reads a backup's manifest.
    /// - Throws: When it is missing, damaged or of a newer version.
    init(in directory: String) throws(Failure) {
        let path = Self.path(in: directory)
        guard Files.exists(path) else { throw Failure("\(directory) is not a backup: it holds no manifest") }
        guard let text = String(validating: try Files.plainContents(path, bytesMax: Self.bytesMax), as: UTF8.self)
        else {
            throw Failure("\(path) is damaged: it is no text")
        }
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        guard let head = lines.first, head.hasPrefix("durable-backup ") else {
            throw Failure("\(path) is not the manifest of a backup")
        }
        guard head == Self.first else {
            throw Failure("\(path) says \"\(head)\"; this program reads up to \"\(Self.first)\"")
        }
        guard lines.popLast() == "", let end = lines.popLast(),
            end == "end crc32c \(Self.hexadecimal(CRC32C.checksum(lines.map { $0 + "\n" }.joined().utf8)))"
        else { throw Failure("\(path) is damaged: its checksum does not match") }
        var time: Int64?
        files = []
        for line in lines.dropFirst() {
            let words = line.split(separator: " ").map(String.init)
            if words.first == "time", words.count > 1 { time = Int64(words[1]) }
            guard words.first == "file" else { continue }
            guard let file = Self.file(words) else { throw Failure("\(path) has a line that is none: \(line)") }
            files.append(file)
        }
        guard let time else { throw Failure("\(path) does not say when it was made") }
        milliseconds = time
    }

    private static func file(_ words: [String]) -> File? {
        guard words.count == 10, words[2] == "bytes", let bytes = UInt64(words[3]), words[4] == "crc32c",
            let checksum = UInt32(words[5], radix: 16), words[6] == "epoch", let epoch = Epoch(words[7]),
            words[8] == "version", let version = UInt64(words[9])
        else { return nil }
        // Nothing outside of the backup is ever read or written, whatever a manifest says.
        let parts = words[1].split(separator: "/", omittingEmptySubsequences: false)
        let shard = parts.count == 3 && parts[0] == "shards" ? ShardNumber(parts[1]) : nil
        guard words[1] == shard.map(Verification.path) || words[1] == "supervisor/data.mdb" else { return nil }
        return File(path: words[1], bytes: bytes, checksum: checksum, epoch: epoch, version: version)
    }

    private static func hexadecimal(_ number: UInt32) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }
}

extension Manifest {
    /// What is different in a backup from what the manifest says of it.
    func differences(from directory: String) throws(Failure) -> [String] {
        var found: [String] = []
        for file in files {
            guard Files.exists("\(directory)/\(file.path)") else {
                found.append("\(file.path) is missing")
                continue
            }
            let (bytes, checksum) = try FileCopy.run("\(directory)/\(file.path)", bytesMax: .max)
            if bytes != file.bytes {
                found.append("\(file.path) has \(bytes) bytes, the manifest says \(file.bytes)")
            } else if checksum != file.checksum {
                found.append("\(file.path) is not what was backed up: its checksum differs")
            }
        }
        return found
    }
}
