internal import Glibc

/// Readers for the small text files of `/proc` and `/sys`.
///
/// They return nil for what cannot be read: a process may be gone, a kernel may lack a file, and callers have an
/// answer for both.
enum SystemFiles {
    static let bytesMax = 1 << 20

    static func contents(_ path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while bytes.count < bytesMax {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { return nil }
            guard count > 0 else { break }
            bytes.append(contentsOf: chunk[..<count])
        }
        return bytes
    }

    static func text(_ path: String) -> String? {
        contents(path).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The directory's entries that are numbers: processes, threads or descriptors.
    static func numbers(in directory: String) -> [Int32]? {
        guard let stream = opendir(directory) else { return nil }
        defer { closedir(stream) }
        // The listing's own descriptor is gone when the caller looks, so it is no entry.
        let own = directory == "/proc/self/fd" ? dirfd(stream) : -1
        var numbers: [Int32] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if let number = Int32(name), number != own { numbers.append(number) }
        }
        return numbers.sorted()
    }

    static func linkTarget(_ path: String) -> String? {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX) + 16)
        let capacity = buffer.count
        let count = buffer.withUnsafeMutableBytes { bytes in
            bytes.withMemoryRebound(to: CChar.self) { characters in
                characters.baseAddress.map { readlink(path, $0, capacity) } ?? -1
            }
        }
        return count < 0 ? nil : String(decoding: buffer[..<count], as: UTF8.self)
    }
}

/// The fields of `/proc/<pid>/stat` that tell processes apart.
struct ProcessStatus: Equatable {
    var state: Character
    var parent: Int32
    /// Clock ticks between the machine's start and the process's.
    var startTime: UInt64

    init?(pid: Int32) {
        guard let line = SystemFiles.text("/proc/\(pid)/stat") else { return nil }
        self.init(line: line)
    }

    /// The second field is the command's name in parentheses and may itself hold spaces and parentheses.
    init?(line: String) {
        guard let nameEnd = line.lastIndex(of: ")") else { return nil }
        let fields = line[line.index(after: nameEnd)...].split(separator: " ")
        guard fields.count >= 20, let state = fields[0].first,
            let parent = Int32(fields[1]), let startTime = UInt64(fields[19])
        else { return nil }
        self.state = state
        self.parent = parent
        self.startTime = startTime
    }
}
