internal import DurableProcess
internal import DurableSupervisor
internal import Glibc

/// The processes that belong to a runtime's directory: supervisor, workers, spares, and what those have started.
///
/// The stderr of each of them is a file in the directory, which a process keeps and hands down whatever becomes of its
/// parent and of the file.
struct RuntimeProcesses {
    /// The directory as the kernel calls it.
    let directory: String

    /// Looks up what the kernel calls the directory, which has to exist.
    init(directory: String) {
        guard let resolved = realpath(directory, nil) else {
            self.directory = directory
            return
        }
        defer { free(resolved) }
        self.directory = String(cString: resolved)
    }

    /// Those that have not ended.
    func all() -> [ProcessHandle] {
        let own = getpid()
        return RuntimeDirectory.entries(of: "/proc").compactMap { name in
            guard let pid = Int32(name), pid != own, isOurs(pid) else { return nil }
            // Gone meanwhile, or not to be watched for lack of descriptors: then the next look finds it.
            guard let process = try? ProcessHandle.adopt(peer: pid), isOurs(pid), process.isAlive else { return nil }
            return process
        }
    }

    private func isOurs(_ pid: Int32) -> Bool {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/\(pid)/fd/2", &buffer, buffer.count)
        guard count > 0 else { return false }
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self).hasPrefix(
            "\(directory)/"
        )
    }
}
