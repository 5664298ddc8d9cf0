import DurableActors
import DurableProcess
import Glibc

/// Another run of this program, for what a process of its own has to do.
enum FreshProcess {
    /// Starts one.
    /// - Parameters:
    ///   - output: Where what it prints goes.
    ///   - error: Where what it says to people goes.
    static func start(_ arguments: [String], output: Int32? = nil, error: Int32 = STDERR_FILENO) throws -> ProcessHandle
    {
        let image = try ExecutableImage.current()
        var configuration = SpawnConfiguration(image: image, arguments: [image.path] + arguments)
        configuration.standardOutput = output
        configuration.standardError = error
        return try ProcessHandle.spawn(configuration)
    }

    /// Runs one, and returns the line that it prints.
    static func output(_ arguments: [String]) throws -> String {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw ActorError(.limitExceeded, "no pipe: errno \(errno)") }
        defer { close(ends[0]) }
        let process: ProcessHandle
        do {
            process = try start(arguments, output: ends[1])
            close(ends[1])
        } catch {
            close(ends[1])
            throw error
        }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while case let count = read(ends[0], &buffer, buffer.count), count > 0 { bytes += buffer[..<count] }
        _ = process.waitUntilEnded(for: .seconds(60))
        guard case .exited(code: 0)? = process.reap() else {
            throw ActorError(.internalError, "the process \(arguments) failed")
        }
        if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }
}
