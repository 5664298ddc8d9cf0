internal import CBenchmarks
internal import Glibc

/// What the figures were measured on.
struct Machine {
    let processor: String
    let coreCount: Int
    let kernel: String
    let swiftVersion: String
    let isOptimised: Bool
    let date: String

    static func current() -> Machine {
        var name = utsname()
        uname(&name)
        var now = time(nil)
        var parts = tm()
        gmtime_r(&now, &parts)
        var text = [CChar](repeating: 0, count: 32)
        strftime(&text, text.count, "%Y-%m-%d %H:%M UTC", &parts)
        let processor = lines(of: "/proc/cpuinfo").first { $0.hasPrefix("model name") }
        return Machine(
            processor: processor.flatMap { $0.split(separator: ": ", maxSplits: 1).last.map(String.init) } ?? "unknown",
            coreCount: sysconf(Int32(_SC_NPROCESSORS_ONLN)),
            kernel: withUnsafeBytes(of: name.release) { string($0) },
            swiftVersion: compilerVersion,
            isOptimised: isRelease,
            date: string(text.map { UInt8(bitPattern: $0) })
        )
    }

    /// The load average of the last minute: what else ran.
    static var load: Double {
        var loads = [0.0]
        return getloadavg(&loads, 1) == 1 ? loads[0] : .nan
    }

    /// Lets this process, and every process and thread it starts from now on, run on one core only.
    static func pin(toCore core: Int) throws {
        let code = benchmarks_pin(Int32(core))
        guard code == 0 else { throw BenchmarkError("pinning to core \(core)", code: code) }
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

    private static func lines(of path: String) -> [Substring] {
        guard let file = fopen(path, "r") else { return [] }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 16384)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n")
    }

    private static func string(_ bytes: some Collection<UInt8>) -> String {
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
}
