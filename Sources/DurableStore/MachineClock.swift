package import DurableCore
internal import Glibc

/// The machine's clocks.
package enum MachineClock {
    /// What they show now.
    package static func reading() -> ClockReading {
        ClockReading(
            boot: boot,
            bootMilliseconds: bootMilliseconds,
            wallMilliseconds: Int64(clamping: milliseconds(CLOCK_REALTIME))
        )
    }

    /// The time since the machine's start, the same for all processes on it.
    package static var bootMilliseconds: UInt64 { UInt64(clamping: milliseconds(CLOCK_BOOTTIME)) }

    private static func milliseconds(_ clock: clockid_t) -> Int {
        var time = timespec()
        clock_gettime(clock, &time)
        return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }

    /// Zero where the kernel does not tell. Two runs of the machine then look like one whose clock went back, which
    /// makes records stay longer.
    private static let boot: BootID = {
        let file = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return BootID(high: 0, low: 0) }
        defer { close(file) }
        var text = [UInt8](repeating: 0, count: 36)
        let count = read(file, &text, text.count)
        let digits = String(decoding: text.prefix(max(0, count)), as: UTF8.self).filter { $0 != "-" }
        return BootID(hexadecimal: digits) ?? BootID(high: 0, low: 0)
    }()
}
