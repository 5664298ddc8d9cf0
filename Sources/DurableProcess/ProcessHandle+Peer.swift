extension ProcessHandle {
    /// Watches a process that is known by its number only, as the peer of a connection; `nil` when it is gone.
    package static func adopt(peer pid: Int32) throws(ProcessError) -> ProcessHandle? {
        guard let status = ProcessStatus(pid: pid) else { return nil }
        return try adopt(pid: pid, startTime: status.startTime)
    }
}
