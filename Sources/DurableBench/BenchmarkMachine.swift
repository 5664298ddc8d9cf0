internal import Glibc

/// What figures were measured on. Times of one machine say little about another.
public struct BenchmarkMachine: Sendable, Hashable, Codable {
    /// The processor's name.
    public let processor: String
    /// How many processors there are.
    public let coreCount: Int
    /// The kernel's release.
    public let kernel: String
    /// The compiler's version.
    public let swiftVersion: String
    /// Whether this was a release build; the figures of others mean nothing.
    public let isOptimised: Bool
    /// When it was looked at, in UTC to the minute.
    public let date: String

    /// Looks at this machine.
    public static func current() -> BenchmarkMachine {
        var name = utsname()
        uname(&name)
        var now = time(nil)
        var parts = tm()
        gmtime_r(&now, &parts)
        var text = [CChar](repeating: 0, count: 32)
        strftime(&text, text.count, "%Y-%m-%d %H:%M UTC", &parts)
        let processor = ProcessFile.lines("/proc/cpuinfo").first { $0.hasPrefix("model name") }
        return BenchmarkMachine(
            processor: processor.flatMap { $0.split(separator: ": ", maxSplits: 1).last.map(String.init) } ?? "unknown",
            coreCount: sysconf(Int32(_SC_NPROCESSORS_ONLN)),
            kernel: withUnsafeBytes(of: name.release) { string($0) },
            swiftVersion: compilerVersion,
            isOptimised: isRelease,
            date: string(text.map { UInt8(bitPattern: $0) })
        )
    }

    /// The load average of the last minute: what else ran.
    public static var load: Double {
        var loads = [0.0]
        return getloadavg(&loads, 1) == 1 ? loads[0] : .nan
    }

    /// The machine in one line, for people.
    public var line: String {
        "\(date), \(coreCount) cores, \(processor), Linux \(kernel), Swift \(swiftVersion), "
            + (isOptimised ? "release" : "DEBUG BUILD: the figures mean nothing")
    }

    private static var compilerVersion: String {
        #if compiler(>=6.4)
        "6.4 or later"
        #elseif compiler(>=6.3.1)
        "6.3.1 or later"
        #elseif compiler(>=6.3)
        "6.3"
        #else
        "before 6.3"
        #endif
    }

    private static var isRelease: Bool {
        #if DEBUG
        false
        #else
        true
        #endif
    }

    private static func string(_ bytes: some Collection<UInt8>) -> String {
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
}

/// Small text files of the kernel.
package enum ProcessFile {
    /// The lines; none when it cannot be read, as when the process has ended.
    package static func lines(_ path: String) -> [Substring] {
        guard let file = fopen(path, "re") else { return [] }
        defer { fclose(file) }
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16384)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { text += chunk[..<count] }
        return String(decoding: text, as: UTF8.self).split(separator: "\n")
    }

    /// Where a symbolic link leads; `nil` when it cannot be read.
    package static func target(_ path: String) -> String? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 16)
        let count = readlink(path, &buffer, buffer.count)
        guard count >= 0 else { return nil }
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
