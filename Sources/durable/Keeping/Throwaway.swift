internal import CBOR
internal import DurableCore
internal import DurableProcess
internal import Glibc

/// This program again, in a process of its own that may die: what it finds out comes through its standard output.
enum Throwaway {
    /// What a child says, each in a frame.
    enum Message: Codable {
        /// It turns to this file.
        case begins(String)
        /// It has looked at a file.
        case looked(FileReport)
        /// It cannot go on, and why.
        case failed(String)
        /// It has done everything.
        case finished
    }

    /// How a child ended.
    enum Ending {
        case finished
        /// It gave up, with a reason of its own.
        case failed(String)
        /// It was ended, in the middle of this file.
        case died(ExitStatus, String?)
    }

    /// Runs the program with these arguments and lends each of its messages.
    static func run(_ arguments: [String], _ body: (Message) -> Void) throws -> Ending {
        let image = try ExecutableImage.current()
        var configuration = SpawnConfiguration(image: image, arguments: [image.path] + arguments)
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw Failure("no pipe can be made: \(Files.reason(errno))") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        configuration.standardOutput = ends[1]
        configuration.standardError = STDERR_FILENO
        let child: ProcessHandle
        do {
            child = try ProcessHandle.spawn(configuration)
        } catch {
            close(ends[0])
            close(ends[1])
            throw Failure("no process can be started: \(error.message)")
        }
        close(ends[1])
        defer { close(ends[0]) }
        var (file, failure, isFinished): (String?, String?, Bool) = (nil, nil, false)
        while let message = receive(from: ends[0]) {
            switch message {
            case .begins(let path): file = path
            case .looked: file = nil
            case .failed(let reason): failure = reason
            case .finished: isFinished = true
            }
            body(message)
        }
        // Its output has ended, so it is at its end or has been ended.
        while !child.waitUntilEnded(for: .seconds(60)) {}
        let status = child.reap() ?? .unknown
        if let failure { return .failed(failure) }
        return isFinished ? .finished : .died(status, file)
    }

    /// Says something to the parent.
    static func say(_ message: Message) throws {
        let payload = try CBOREncoder().encode(message)
        var writer = ByteWriter(reserving: payload.count + 4)
        writer.write(counted: payload)
        var rest = writer.bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Failure("nobody listens any more") }
            rest = rest.dropFirst(count)
        }
    }

    private static func receive(from descriptor: Int32) -> Message? {
        guard let head = read(4, from: descriptor) else { return nil }
        var reader = ByteReader(head)
        guard let count = try? reader.read(UInt32.self), let payload = read(Int(count), from: descriptor) else {
            return nil
        }
        // A child that says something else is of no use; how it ends says the rest.
        return try? CBORDecoder().decode(Message.self, from: payload)
    }

    private static func read(_ count: Int, from descriptor: Int32) -> [UInt8]? {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: min(count, 1 << 16))
        while bytes.count < count {
            let part = Glibc.read(descriptor, &buffer, min(buffer.count, count - bytes.count))
            if part < 0, errno == EINTR { continue }
            guard part > 0 else { return nil }
            bytes += buffer[..<part]
        }
        return bytes
    }
}
