internal import Glibc

/// Pages of processes that others have started.
extension WorkerPage {
    /// For how long a worker has given no sign of life; `nil` when it has no page, or may not be looked at.
    package static func silence(ofProcess pid: Int32) -> Duration? {
        for number in SystemFiles.numbers(in: "/proc/\(pid)/fd") ?? [] {
            let path = "/proc/\(pid)/fd/\(number)"
            guard SystemFiles.linkTarget(path)?.hasPrefix("/memfd:durable-worker-page") == true else { continue }
            let descriptor = open(path, O_RDWR | O_CLOEXEC)
            guard descriptor >= 0 else { continue }
            // Not one of ours, or closed since.
            guard let page = try? WorkerPage(adopting: descriptor) else {
                close(descriptor)
                continue
            }
            // That of a rehearsal has no signs of life, and is there for a moment beside the worker's own.
            if let silence = page.silence { return silence }
        }
        return nil
    }
}
