internal import CBenchmarks
internal import DurableBench
internal import Glibc

/// A directory for the state of one benchmark, which goes with it.
struct WorkingDirectory: ~Copyable {
    let path: String

    /// Makes one.
    /// - Parameter base: The directory to make it in; the disk of this directory is what is measured.
    init(in base: String) throws {
        var template = Array("\(base)/durable-benchmark-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw BenchmarkError("a directory in \(base)", code: errno) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        // What cannot be removed stays behind: it does not spoil what was measured.
        _ = benchmarks_remove_tree(path)
    }
}
