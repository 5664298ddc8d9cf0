internal import CDurable
internal import Glibc
internal import Synchronization

/// A caller that reads its answer itself.
///
/// Otherwise an answer wakes the loop's thread, which then wakes the caller's: one change of thread more than the
/// kernel needs. Who owns the reading side is decided by the lock `reading`. The caller holds it while it sends and
/// reads, and meanwhile epoll does not tell the loop of bytes that arrive (`Shared.isLent`). The loop reads only if the
/// lock is free; if it is not, epoll tells it again when the caller has given the side back, because what was not read
/// is still there. What a caller reads is delivered by the same code as on the loop, in the order of the stream.
/// The descriptor is closed under the lock, so it is not closed while somebody reads from it.
extension Connection {
    private static let directBufferBytes = 16 << 10

    /// Sends a request and waits for its answer on the calling thread, for a few milliseconds at most.
    ///
    /// Not on the loop. The handler's closures may run on the calling thread.
    /// - Parameters:
    ///   - send: Sends the request; called exactly once.
    ///   - isAnswered: Whether the answer has been delivered.
    /// - Returns: How long it was waited for, in nanoseconds; `nil` if it was not. If the answer has not come by then, it
    ///   comes by the loop.
    package func exchange(_ send: () -> Void, isAnswered: () -> Bool) -> UInt64? {
        let duration = reading.withLockIfAvailable { _ -> UInt64? in
            guard !isDeaf.load(ordering: .relaxed), lend() else { return nil }
            let start = durable_io_now()
            directReader.store(pthread_self(), ordering: .relaxed)
            send()
            let progress = readDirectly(until: isAnswered)
            directReader.store(0, ordering: .relaxed)
            takeBack()
            if case .ended(let error) = progress {
                isDeaf.store(true, ordering: .relaxed)
                loop.execute { self.finish(error) }
            }
            return durable_io_now() - start
        }
        if let duration, let duration { return duration }
        send()
        return nil
    }

    /// Whether the calling thread reads from the connection now, or is the one that does so otherwise.
    var isReader: Bool { loop.isCurrent || directReader.load(ordering: .relaxed) == pthread_self() }

    /// Lets a caller that waits see the end of the stream.
    func interruptDirectReader() {
        shared.withLock { shared in
            if shared.isLent, shared.descriptor >= 0 { _ = Glibc.shutdown(shared.descriptor, Int32(SHUT_RD)) }
        }
    }

    private func readDirectly(until isAnswered: () -> Bool) -> Progress {
        let buffer = directBuffer()
        while !isAnswered() {
            let progress = read(into: buffer, waits: true)
            guard case .more = progress else { return progress }
        }
        return .more
    }

    private func lend() -> Bool {
        shared.withLock { shared in
            guard shared.phase == .open, shared.descriptor >= 0, !shared.closesWhenFlushed else { return false }
            if !shared.canBlock {
                guard durable_io_allow_waiting(shared.descriptor) >= 0 else { return false }
                shared.canBlock = true
            }
            shared.isLent = true
            shared.updateInterest(epoll: loop.epoll, key: id)
            return true
        }
    }

    private func takeBack() {
        shared.withLock { shared in
            shared.isLent = false
            shared.updateInterest(epoll: loop.epoll, key: id)
        }
    }

    private func directBuffer() -> UnsafeMutableRawBufferPointer {
        if let buffer = confined.directBuffer { return buffer }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Connection.directBufferBytes, alignment: 16)
        confined.directBuffer = buffer
        return buffer
    }
}
