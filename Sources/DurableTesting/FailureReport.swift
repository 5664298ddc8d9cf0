internal import DurableCore
internal import DurableSupervisor
internal import Glibc

/// What helps to understand why a test failed: the deaths of its workers, and what workers wrote to stderr.
struct FailureReport {
    private static let deathsMax = 50
    private static let tailBytesMax = 4096
    private let layout: RuntimeLayout

    init(directory: String) { layout = RuntimeLayout(directory: directory) }

    /// The report; `nil` when no worker died or wrote anything.
    func text() async -> String? {
        do {
            let (deaths, workers) = try await settled()
            var parts: [String] = []
            if !deaths.isEmpty { parts.append("deaths, oldest first:\n" + deaths.map(line).joined(separator: "\n")) }
            parts += workers.compactMap { worker in
                let tail = tail(of: layout.stderrFile(worker.serial))
                return tail.isEmpty ? nil : "stderr of \(worker.title):\n\(indented(tail))"
            }
            return parts.isEmpty ? nil : "the workers of this test's runtime\n" + parts.joined(separator: "\n")
        } catch {
            return "the ledger of this test's runtime cannot be read: \(error.message)"
        }
    }

    private struct Worker {
        var serial: UInt64
        var title: String
    }

    /// The ledger, once two looks at it agree: the supervisor writes a death a moment after it happened.
    private func settled() async throws(ActorError) -> ([LedgerEntry], [Worker]) {
        var last = try read()
        for _ in 0..<10 {
            // A look that comes too early is followed by another one.
            try? await Task.sleep(for: .milliseconds(20))
            let next = try read()
            defer { last = next }
            if next.0 == last.0 { return next }
        }
        return last
    }

    private func read() throws(ActorError) -> ([LedgerEntry], [Worker]) {
        let registry = try RegistryStore(layout, readOnly: true)
        defer { registry.close() }
        let workers = try registry.load().records.compactMap { record in
            record.worker.map {
                Worker(serial: $0.serial, title: "\(record.options.name ?? record.typeDescription), process \($0.pid)")
            }
        }
        return (try registry.ledger(newest: Self.deathsMax), workers)
    }

    private func line(_ death: LedgerEntry) -> String {
        let title = "  \(death.typeDescription), life \(death.incarnation), process \(death.pid)"
        let text =
            "\(title), \(death.isRestarted ? "restarted" : "ended"): \(death.cause)\(death.isInjected == true ? ", injected" : "")"
        return death.stderrTail.isEmpty ? text : "\(text)\n\(indented(death.stderrTail))"
    }

    private func indented(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).map { "    \($0)" }.joined(separator: "\n")
    }

    /// The end of a file; nothing when it is gone.
    private func tail(of path: String) -> String {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else { return "" }
        defer { close(file) }
        let start = max(0, lseek(file, 0, SEEK_END) - Self.tailBytesMax)
        var bytes = [UInt8](repeating: 0, count: Self.tailBytesMax)
        let count = pread(file, &bytes, bytes.count, start)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }
}
