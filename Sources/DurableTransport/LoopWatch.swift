internal import CDurable
internal import Synchronization

/// A descriptor that a loop watches for its owner; the loop keeps the watch until it is cancelled.
package final class LoopWatch: EventSource {
    private let id: UInt64
    private let loop: EventLoop
    private let descriptor: Int32
    private let onReadable: Mutex<LoopCallback?>

    init(loop: EventLoop, descriptor: Int32, onReadable: @escaping @Sendable () -> Void) {
        id = EventLoop.nextId()
        self.loop = loop
        self.descriptor = descriptor
        self.onReadable = Mutex(LoopCallback(run: onReadable))
    }

    func begin() throws(TransportError) {
        loop.add(self, id: id)
        let result = durable_io_epoll_add(loop.epoll, descriptor, UInt32(DURABLE_IO_READABLE), id)
        guard result >= 0 else {
            loop.remove(id: id)
            throw TransportError(errno: -result, "cannot watch descriptor \(descriptor)")
        }
    }

    /// Ends the watch, before the owner closes the descriptor; from any thread.
    ///
    /// On the loop it is never called again after this; from another thread a call may be under way.
    package func cancel() {
        let wasWatching = onReadable.withLock { work in
            defer { work = nil }
            return work != nil
        }
        guard wasWatching else { return }
        loop.remove(id: id)
        _ = durable_io_epoll_remove(loop.epoll, descriptor)
    }

    func ready(_ events: UInt32) {
        onReadable.withLock { $0 }?.run()
    }

    func loopEnded() {
        cancel()
    }
}

extension EventLoop {
    /// Calls `onReadable` on the loop whenever `fd` is readable (level-triggered: until it is read or cancelled).
    ///
    /// For pidfds, event descriptors and pipes. The descriptor stays the caller's; cancel before closing it.
    package func watch(_ fd: Int32, _ onReadable: @escaping @Sendable () -> Void) throws(TransportError) -> LoopWatch {
        let watch = LoopWatch(loop: self, descriptor: fd, onReadable: onReadable)
        try watch.begin()
        return watch
    }
}
