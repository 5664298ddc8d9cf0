internal import Glibc

/// A directory for files in the making. It is removed at the end unless it was moved into place.
///
/// Its owner holds a `flock` on it for life, so a leftover is told from one in use without trusting process numbers.
final class TemporaryDirectory {
    let place: Place
    private let descriptor: Int32
    private var isKept = false

    private static let marker = ".creating."
    private static let attemptsMax = 16

    /// Creates `.<name>.creating.<pid>.<random>` in a directory, readable by its owner only.
    init(in parent: String, for name: String) throws(LMDBError) {
        for _ in 0..<Self.attemptsMax {
            let random = String(UInt64.random(in: 0...UInt64.max), radix: 36)
            let path = "\(parent)/.\(name)\(Self.marker)\(getpid()).\(random)"
            guard mkdir(path, 0o700) == 0 else {
                if errno == EEXIST { continue }
                throw .lastSystemError(while: "creating a directory in it for \"\(name)\"", at: parent)
            }
            if let descriptor = try Self.own(path) {
                place = Place(directory: path)
                self.descriptor = descriptor
                return
            }
        }
        throw LMDBError(.lockedByOther, "\(parent): new directories in it keep vanishing. Try again.")
    }

    deinit {
        if !isKept { Self.remove(place) }
        close(descriptor)
    }

    /// Says that the directory was moved into place.
    func keep() {
        isKept = true
    }

    /// Sets the mode and takes the lock. Nil if a sweep came first.
    private static func own(_ path: String) throws(LMDBError) -> Int32? {
        guard chmod(path, 0o700) == 0 else {
            if errno == ENOENT { return nil }
            throw .lastSystemError(while: "setting the mode of a new directory", at: path)
        }
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw .lastSystemError(while: "opening a new directory", at: path)
        }
        var locked = stat()
        var named = stat()
        let isOurs =
            flock(descriptor, LOCK_EX | LOCK_NB) == 0 && fstat(descriptor, &locked) == 0 && stat(path, &named) == 0
            && FileIdentity(locked) == FileIdentity(named)
        if isOurs { return descriptor }
        close(descriptor)
        return nil
    }

    /// Removes what dead processes left behind. What cannot be removed is left for the next sweep.
    ///
    /// Who has left it may have died when a file had its name and the name was not durable yet: it is made so first,
    /// while what tells of that is still there.
    static func sweep(_ parent: String) throws(LMDBError) {
        let leftovers = leftovers(in: parent)
        guard !leftovers.isEmpty else { return }
        try FileSystem.syncDirectory(parent)
        for name in leftovers { removeIfDead("\(parent)/\(name)") }
    }

    private static func leftovers(in parent: String) -> [String] {
        guard let listing = opendir(parent) else { return [] }
        defer { closedir(listing) }
        var names: [String] = []
        while let entry = readdir(listing) {
            // Each life of an actor looks here.
            guard entry.pointee.d_name.0 == CChar(UInt8(ascii: ".")) else { continue }
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.contains(marker) { names.append(name) }
        }
        return names
    }

    private static func removeIfDead(_ path: String) {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { remove(Place(directory: path)) }
    }

    /// Removes only what a creation can have put there, so a mistaken name costs nobody any data.
    private static func remove(_ place: Place) {
        unlink(place.dataFile)
        unlink(place.lockFile)
        rmdir(place.directory)
    }
}
