import ArgumentParser
import DurableProcess
import DurableSupervisor
import Glibc
import SoakSystem

/// A lane that leaves nothing behind, however it ends: it runs in a process of its own, and this one ends what it
/// started, unmounts what it mounted and removes its files.
struct Enclosure {
    /// The lane's directory, also when it runs in an enclosure: by this every process of the lane is known.
    static let variable = "SOAK_ENCLOSURE"

    /// Where the lane may work; `nil` outside of an enclosure.
    static var directory: String? {
        _ = parent
        return ProcessEnvironment.value(variable)
    }

    /// Runs this program again with the same arguments, enclosed, and cleans up behind it.
    /// - Throws: `ExitCode`, that of the lane.
    static func run() throws -> Never {
        soak_note_signals()
        let directory = try ScratchPlace.make("soak")
        let enclosure = Enclosure(path: directory)
        let child: ProcessHandle
        do {
            child = try Child.start(
                Array(CommandLine.arguments.dropFirst()),
                environment: [variable: directory],
                output: STDOUT_FILENO
            )
        } catch {
            enclosure.cleanUp()
            throw error
        }
        var status = child.reap()
        while status == nil {
            _ = child.waitUntilEnded(for: .milliseconds(50))
            let signal = soak_noted_signal()
            if signal != 0 {
                StandardError.write("\nsoak: ended by signal \(signal); cleaning up\n")
                child.kill()
            }
            status = child.reap()
        }
        enclosure.cleanUp()
        guard case .exited(let code) = status else {
            StandardError.write("soak: the lane itself ended by \(status.map { "\($0)" } ?? "nothing")\n")
            throw ExitCode(2)
        }
        leave(code)
    }

    private let path: String

    /// Cleans up and ends, when the process is gone that should have.
    static func endIfOrphaned() {
        guard let directory, getppid() != parent else { return }
        Enclosure(path: directory).cleanUp()
        _exit(2)
    }

    /// Who started this process.
    private static let parent = getppid()

    /// Ends processes, then unmounts, then removes.
    private func cleanUp() {
        Self.endProcesses(of: path)
        for mount in Self.mounts(below: path) where umount2(mount, Int32(MNT_DETACH)) != 0 {
            StandardError.write("soak: \(mount) is still mounted: \(String(cString: strerror(errno)))\n")
        }
        RuntimeDirectory.remove(path)
        if access(path, F_OK) == 0 { StandardError.write("soak: \(path) could not be removed\n") }
    }

    private static func leave(_ code: Int32) -> Never {
        fflush(nil)
        exit(code)
    }

    /// Ends all processes of a lane but this one, and waits until they are gone.
    static func endProcesses(of directory: String) {
        let mark = Array("\(variable)=\(directory)".utf8)
        let end = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < end {
            var isAnyLeft = false
            for name in RuntimeDirectory.entries(of: "/proc") {
                guard let pid = Int32(name), pid != getpid(), let bytes = SmallFile.bytes("/proc/\(pid)/environ"),
                    bytes.split(separator: 0).contains(where: { $0.elementsEqual(mark) })
                else { continue }
                isAnyLeft = true
                kill(pid, SIGKILL)
                // Where it may have been rehearsing; nobody else sweeps if it was the last one.
                for place in RuntimeDirectory.entries(of: "/dev/shm") where place.hasPrefix("durable-rehearsal-\(pid)-")
                {
                    RuntimeDirectory.remove("/dev/shm/\(place)")
                }
            }
            if !isAnyLeft { return }
            usleep(2000)
        }
        StandardError.write("soak: processes of \(directory) are still there\n")
    }

    /// What is mounted below a path, innermost first.
    static func mounts(below path: String) -> [String] {
        let lines = String(decoding: SmallFile.bytes("/proc/self/mounts") ?? [], as: UTF8.self).split(separator: "\n")
        let points = lines.compactMap { $0.split(separator: " ").dropFirst().first.map(String.init) }
        return points.filter { $0.hasPrefix(path + "/") }.reversed()
    }
}

/// Directories in memory, which is where lanes write most.
enum ScratchPlace {
    static func make(_ name: String) throws -> String {
        var template = Array("/dev/shm/\(name)-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else {
            throw ValidationError("no directory can be made in /dev/shm: \(String(cString: strerror(errno)))")
        }
        return String(cString: made)
    }
}

/// Files that are read at once.
enum SmallFile {
    /// `nil` when it cannot be read.
    static func bytes(_ path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(descriptor, &part, part.count)
            guard count >= 0 else { return nil }
            guard count > 0 else { return bytes }
            bytes += part[..<count]
        }
    }

    static func text(_ path: String) -> String? { bytes(path).map { String(decoding: $0, as: UTF8.self) } }
}

/// This process's environment.
enum ProcessEnvironment {
    static func value(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}

/// Processes of a lane: this program with other arguments.
enum Child {
    /// Starts one. What it writes to stderr goes where ours does.
    static func start(
        _ arguments: [String],
        environment: [String: String] = [:],
        output: Int32? = nil
    ) throws -> ProcessHandle {
        let image = try ExecutableImage.current()
        var configuration = SpawnConfiguration(image: image, arguments: [image.path] + arguments)
        configuration.environment = environment
        configuration.standardOutput = output
        configuration.standardError = STDERR_FILENO
        return try ProcessHandle.spawn(configuration)
    }

    /// The directory that holds this program and the libraries that were built with it.
    static func product(_ name: String) throws -> String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = buffer.withUnsafeMutableBytes { bytes in
            readlink("/proc/self/exe", bytes.baseAddress!.assumingMemoryBound(to: CChar.self), bytes.count)
        }
        let executable = String(decoding: buffer[..<max(0, count)], as: UTF8.self)
        let path = executable.split(separator: "/").dropLast().reduce("") { "\($0)/\($1)" } + "/" + name
        guard access(path, R_OK) == 0 else {
            throw ValidationError("\(path) is missing; build it with `swift build --product WriteTraceShim`")
        }
        return path
    }

    /// Ends this process when the one that started it is gone, checked whenever this is called.
    static func endIfOrphaned(_ parent: Int32) {
        if getppid() != parent { _exit(1) }
    }
}
