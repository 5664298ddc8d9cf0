import Glibc

/// Whether a process that nobody kills grows while others die around it.
struct SupervisorWatch {
    private var pid: Int32?
    private var descriptors: [Int] = []
    private var memory: [Int] = []
    /// Those of this process, which is a driver.
    private var ownDescriptors: [Int] = []
    private(set) var violations: [String] = []

    /// Looks at the supervisor once more; all looks are at the same one.
    mutating func look(at pid: Int32?) {
        guard let pid else { return }
        if let known = self.pid, known != pid {
            violations.append("supervisor \(known) ended though nobody killed it")
        }
        self.pid = pid
        guard let own = ProcessTable.ownMemory(of: pid) else { return }
        descriptors.append(ProcessTable.descriptors(of: pid))
        memory.append(own)
        ownDescriptors.append(ProcessTable.descriptors(of: getpid()))
    }

    /// Compares the middle of the first quarter of the looks with that of the last.
    mutating func conclude() -> String {
        guard memory.count >= 8 else {
            violations.append("the supervisor was looked at only \(memory.count) times")
            return ""
        }
        let (fds, kilobytes) = (ends(descriptors), ends(memory))
        if fds.last - fds.first > 8 { violations.append("descriptors of the supervisor grew: \(descriptors)") }
        let ours = ends(ownDescriptors)
        if ours.last - ours.first > 24 { violations.append("descriptors of the driver grew: \(ownDescriptors)") }
        if kilobytes.last - kilobytes.first > 8192 { violations.append("memory of the supervisor grew: \(memory) KiB") }
        return
            "supervisor: descriptors \(fds.first) to \(fds.last), memory \(kilobytes.first) to \(kilobytes.last) KiB; "
            + "descriptors of the driver \(ours.first) to \(ours.last)"
    }

    private func ends(_ values: [Int]) -> (first: Int, last: Int) {
        let quarter = max(1, values.count / 4)
        return (values.prefix(quarter).sorted()[quarter / 2], values.suffix(quarter).sorted()[quarter / 2])
    }
}
