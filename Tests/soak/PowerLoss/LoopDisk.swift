import DurableProcess
import DurableSupervisor
import Glibc
import SoakSystem

/// An ext4 file system in a file, whose power can be cut.
struct LoopDisk {
    private let image: String
    /// Where it is mounted.
    let path: String

    private static let mebibytes = 192

    /// Makes the file system; it is not mounted yet.
    init(in directory: String) throws {
        guard geteuid() == 0 else {
            throw LaneError("power cuts need root: to mount a file system and to shut it down")
        }
        image = "\(directory)/disk.img"
        path = "\(directory)/disk"
        mkdir(path, 0o700)
        let descriptor = open(image, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0, ftruncate(descriptor, off_t(Self.mebibytes) << 20) == 0 else {
            throw LaneError("\(image): \(String(cString: strerror(errno)))")
        }
        close(descriptor)
        try Tool.run("mkfs.ext4", ["-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", image])
    }

    /// Mounts it, which writes its journal back. It needs a free loop device.
    func mount() throws { try Tool.run("mount", ["-t", "ext4", "-o", "loop", image, path]) }

    /// Writes back what processes have written so far, as the kernel does now and then.
    func writeBack() throws {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        defer { close(descriptor) }
        let status = soak_write_back(descriptor)
        guard status == 0 else { throw LaneError("\(path) is not written back: \(String(cString: strerror(status)))") }
    }

    /// From here on nothing reaches the disk.
    func cutPower(flushesLog: Bool) throws {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        defer { close(descriptor) }
        let status = soak_shut_down(descriptor, flushesLog ? 1 : 0)
        guard status == 0 else {
            throw LaneError("\(path) cannot be shut down, which ext4 can: \(String(cString: strerror(status)))")
        }
    }

    /// Takes it away when nobody uses it any more.
    func unmount() throws {
        let end = ContinuousClock.now + .seconds(20)
        while umount2(path, 0) != 0 {
            guard errno == EBUSY, ContinuousClock.now < end else {
                throw LaneError("\(path) cannot be unmounted: \(String(cString: strerror(errno)))")
            }
            usleep(2000)
        }
    }

    /// Looks at the whole file system, which is not mounted, and changes nothing.
    func check() throws { try Tool.run("e2fsck", ["-f", "-n", image]) }
}

/// Programs of the system.
enum Tool {
    /// Runs one to its end.
    /// - Throws: `LaneError` when it is missing, or failed; with what it wrote.
    static func run(_ name: String, _ arguments: [String]) throws {
        let places = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map { "\($0)/\(name)" }
        guard let path = places.first(where: { access($0, X_OK) == 0 }) else {
            throw LaneError("\(name) is not installed; power cuts need e2fsprogs and mount")
        }
        var pipe: [Int32] = [0, 0]
        guard Glibc.pipe(&pipe) == 0 else { throw LaneError("no pipe: \(String(cString: strerror(errno)))") }
        defer { close(pipe[0]) }
        let process: ProcessHandle
        do {
            defer { close(pipe[1]) }
            var configuration = SpawnConfiguration(image: try .open(path: path), arguments: [path] + arguments)
            configuration.standardOutput = pipe[1]
            configuration.standardError = pipe[1]
            process = try ProcessHandle.spawn(configuration)
        }
        var output: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(pipe[0], &part, part.count)
            guard count > 0 else { break }
            output += part[..<count]
        }
        guard process.waitUntilEnded(for: .seconds(60)), let status = process.reap() else {
            process.kill()
            throw LaneError("\(name) does not end")
        }
        guard status == .exited(code: 0) else {
            let text = String(decoding: output.suffix(600), as: UTF8.self)
            throw LaneError("\(name) \(arguments.joined(separator: " ")) failed: \(text)")
        }
    }
}
