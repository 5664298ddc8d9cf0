internal import DurableActors
internal import Glibc

/// A temporary directory that holds the tally of one run.
struct TallyFolder {
    private let path: String

    var file: String { "\(path)/tally" }

    init() throws(ActorError) {
        let root = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(root)/durable-tally.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw ActorError(.directoryUnusable, "no directory can be made in \(root): errno \(errno)")
        }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// What cannot be removed is a small file in a place for such files.
    func remove() {
        unlink(file)
        rmdir(path)
    }
}
