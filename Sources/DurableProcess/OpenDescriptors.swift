/// What this process has open, for tests that look for leaks.
package enum OpenDescriptors {
    /// One open descriptor.
    package struct Entry: Hashable, Sendable, CustomStringConvertible {
        /// The descriptor's number.
        package var descriptor: Int32
        /// What the descriptor leads to, as `/proc` spells it.
        package var target: String

        /// Number and target, as `ls -l` shows them.
        package var description: String { "\(descriptor) -> \(target)" }
    }

    /// How many descriptors are open.
    package static func count() -> Int {
        SystemFiles.numbers(in: "/proc/self/fd")?.count ?? 0
    }

    /// All open descriptors, by number.
    package static func list() -> [Entry] {
        (SystemFiles.numbers(in: "/proc/self/fd") ?? []).compactMap { descriptor in
            // One that another thread has closed since is not open.
            SystemFiles.linkTarget("/proc/self/fd/\(descriptor)").map { Entry(descriptor: descriptor, target: $0) }
        }
    }
}
