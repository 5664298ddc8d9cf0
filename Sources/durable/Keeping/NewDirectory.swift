internal import DurableSupervisor
internal import Glibc

/// A directory in the making: it appears under its name whole and durable, or not at all.
final class NewDirectory {
    /// Where it is while it is filled.
    let staging: String
    /// Where it will be.
    let target: String
    private let descriptor: Int32
    private var isPlaced = false

    private static let marker = ".partial."

    /// - Throws: When something is there already, or nothing can be made there.
    init(_ path: String) throws(Failure) {
        target = DataDirectory.absolute(path)
        guard !Files.exists(target) else { throw Failure("\(target) exists already; nothing is ever replaced") }
        guard let slash = target.lastIndex(of: "/") else { throw Failure("\(target) is no path of a directory") }
        let parent = slash == target.startIndex ? "/" : String(target[..<slash])
        let name = String(target[target.index(after: slash)...])
        guard Files.isDirectory(parent) else { throw Failure("there is no directory \(parent) to put \(name) into") }
        Self.sweep(parent, name)
        staging = "\(parent)/.\(name)\(Self.marker)\(getpid())"
        RuntimeDirectory.remove(staging)
        guard mkdir(staging, 0o700) == 0 else {
            throw Failure("\(staging) cannot be created: \(Files.reason(errno))")
        }
        chmod(staging, 0o700)
        descriptor = open(staging, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0, flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            throw Failure("\(staging) cannot be locked: \(Files.reason(errno))")
        }
    }

    deinit {
        if !isPlaced { RuntimeDirectory.remove(staging) }
        close(descriptor)
    }

    /// Makes a directory within it.
    func make(_ name: String) throws(Failure) {
        let path = "\(staging)/\(name)"
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
            throw Failure("\(path) cannot be created: \(Files.reason(errno))")
        }
        chmod(path, 0o700)
    }

    /// Makes the names of all files durable, then the directory's own.
    func place() throws(Failure) {
        try Self.sync(staging)
        // An empty directory that came meanwhile is replaced, one with files never is.
        guard rename(staging, target) == 0 else {
            throw Failure("\(target) cannot be made: \(Files.reason(errno))")
        }
        isPlaced = true
        guard let slash = target.lastIndex(of: "/") else { return }
        try Files.sync(slash == target.startIndex ? "/" : String(target[..<slash]))
    }

    private static func sync(_ path: String) throws(Failure) {
        for name in RuntimeDirectory.entries(of: path) where Files.isDirectory("\(path)/\(name)") {
            try sync("\(path)/\(name)")
        }
        try Files.sync(path)
    }

    /// Removes what killed processes left of the same undertaking.
    private static func sweep(_ parent: String, _ name: String) {
        for entry in RuntimeDirectory.entries(of: parent) where entry.hasPrefix(".\(name)\(marker)") {
            let path = "\(parent)/\(entry)"
            let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
            guard descriptor >= 0 else { continue }
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { RuntimeDirectory.remove(path) }
            close(descriptor)
        }
    }
}
