internal import CDurable
internal import Glibc
internal import Synchronization

extension Connection {
    /// The most bytes one connection writes before others get their turn.
    static let flushBytesMax = 4 << 20

    /// Larger frames are not written where others wait.
    private static let smallFrameBytesMax = 16 << 10

    /// Sends one frame; from any thread, never blocking.
    ///
    /// On the loop the frame leaves when the batch has ended, elsewhere at once if nothing waits before it. The
    /// descriptors are duplicated; the caller keeps its own. True says that the frame was taken, not that it arrived.
    ///
    /// - Returns: false if the connection is closed or closing, if the send buffer would exceed its bound, or if the
    ///   frame itself can never be sent: larger than the limits allow, of kind 0, 254 or 255, or with bad descriptors.
    package func send(_ frame: Frame, descriptors: [Int32] = []) -> Bool {
        if !frame.parts.isEmpty {
            guard descriptors.isEmpty, buffer(frame) else { return false }
            push(isUrgent: true)
            return true
        }
        if descriptors.isEmpty, frame.payload.count >= limits.segmentBytesMin { return sendLarge(frame) }
        guard isSendable(frame), descriptors.count <= limits.descriptorsMax else { return false }
        guard !descriptors.isEmpty else {
            return send(byteCount: frame.bytesOnWire) { $0.append(frame) }
        }
        guard let copies = OwnedDescriptor.duplicate(descriptors) else { return false }
        let isTaken = send(byteCount: frame.bytesOnWire) { $0.append(frame, descriptors: copies) }
        if !isTaken {
            for copy in copies { _ = Glibc.close(copy) }
        }
        return isTaken
    }

    /// Sends one frame without an array for its payload in between; otherwise like `send(_:descriptors:)`.
    /// - Parameters:
    ///   - byteCountGuess: About how many bytes the payload has; large ones go the other way.
    ///   - write: Appends the payload to what it is given.
    package func send(kind: UInt8, byteCountGuess: Int, _ write: (inout [UInt8]) -> Void) -> Bool {
        guard buffer(kind, byteCountGuess: byteCountGuess, write) else { return false }
        push(isUrgent: true)
        return true
    }

    /// Takes one frame as `send` does, but leaves it to `push` to see to it that it is written: for those who hold a lock
    /// that whoever is woken by the writing wants as well.
    package func buffer(_ kind: UInt8, byteCountGuess: Int, _ write: (inout [UInt8]) -> Void) -> Bool {
        guard byteCountGuess < Connection.smallFrameBytesMax, Frame.isForUsers(kind) else {
            var payload: [UInt8] = []
            payload.reserveCapacity(byteCountGuess)
            write(&payload)
            return send(Frame(kind: kind, payload: payload))
        }
        return take(byteCount: byteCountGuess) { $0.append(kind: kind, write) }
    }

    /// Sees to it that what was taken is written: when the batch ends on the loop, elsewhere now.
    /// - Parameter isUrgent: Whether it is written at once if the loop sleeps, and does not wait for a moment for what
    ///   follows it.
    package func push(isUrgent: Bool) {
        // There it was queued when it was taken.
        if loop.isCurrent { return }
        let (isMine, error) = shared.withLock { shared -> (Bool, Int32) in
            guard shared.phase == .open, !shared.buffer.isEmpty, !shared.isWriting, !shared.isQueuedForFlush else {
                return (false, 0)
            }
            guard limits.leavesWritingToLoop else { return (false, shared.flush(epoll: loop.epoll, key: id)) }
            shared.isQueuedForFlush = true
            return (true, 0)
        }
        if isMine, !loop.flushSoon(self, mayWait: !isUrgent) { return flushAtOnce() }
        if error != 0 { loop.execute { self.writeFailed(error) } }
    }

    private func flushAtOnce() {
        let error = shared.withLock { shared -> Int32 in
            shared.isQueuedForFlush = false
            return shared.phase == .open ? shared.flush(epoll: loop.epoll, key: id) : 0
        }
        if error != 0 { loop.execute { self.writeFailed(error) } }
    }

    /// Sends frames in order, all or none; otherwise like `send(_:descriptors:)`.
    package func send(contentsOf frames: [Frame]) -> Bool {
        guard frames.allSatisfy({ isSendable($0) && $0.parts.isEmpty }) else { return false }
        return send(byteCount: frames.reduce(0) { $0 + $1.bytesOnWire }) { buffer in
            for frame in frames { buffer.append(frame) }
        }
    }

    /// Writes now what was to be written when the batch ends; on the loop only.
    ///
    /// For a frame that somebody waits for while the rest of the batch takes long. What goes wrong is told at its end.
    package func flushNow() {
        shared.withLock { shared in
            guard shared.phase == .open, shared.isQueuedForFlush else { return }
            _ = shared.flush(epoll: loop.epoll, key: id)
        }
    }

    /// Flushes when the batch ends; on the loop only.
    func queueFlush() {
        let isNew = shared.withLock { shared in
            defer { shared.isQueuedForFlush = true }
            return !shared.isQueuedForFlush
        }
        if isNew { loop.flushLater(self) }
    }

    func flushAtBatchEnd() {
        if limits.leavesWritingToLoop,
            let descriptor = shared.withLock({ $0.beginWriting(&confined.writing) })
        {
            return write(to: descriptor)
        }
        let (error, isDone) = shared.withLock { shared in
            shared.isQueuedForFlush = false
            guard shared.phase == .open || shared.phase == .waiting else { return (Int32(0), false) }
            let error = shared.flush(epoll: loop.epoll, key: id)
            return (error, error == 0 && shared.phase == .open && shared.closesWhenFlushed && shared.buffer.isEmpty)
        }
        if error != 0 {
            writeFailed(error)
        } else if isDone {
            finish(nil)
        }
    }

    /// Writes without holding up those who send. Only the loop closes the descriptor, so it stays open meanwhile.
    private func write(to descriptor: Int32) {
        let error = confined.writing.write(to: descriptor, budget: Connection.flushBytesMax)
        let (isDone, isMore) = shared.withLock { shared in
            shared.endWriting(&confined.writing, error: error, epoll: loop.epoll, key: id)
        }
        if error != 0, error != EAGAIN {
            writeFailed(error)
        } else if isDone {
            finish(nil)
        } else if isMore {
            loop.flushLater(self)
        }
    }

    /// The peer does not take bytes any more; what it had sent before is still delivered.
    func writeFailed(_ error: Int32) {
        readUntilEnd()
        finish(TransportError(errno: error, "the connection broke while writing"))
    }

    /// Without a segment for it, a payload that is not too large goes through the socket.
    private func sendLarge(_ frame: Frame) -> Bool {
        guard Frame.isForUsers(frame.kind), frame.payload.count <= limits.segmentBytesMax,
            let message = message(of: frame)
        else { return false }
        let isTaken = send(byteCount: message.frame.bytesOnWire) {
            $0.append(message.frame, descriptors: message.descriptors)
        }
        if !isTaken { for copy in message.descriptors { _ = Glibc.close(copy) } }
        return isTaken
    }

    /// What is written for a frame, and the descriptors that go with it.
    private typealias Message = (frame: Frame, descriptors: [Int32])

    /// The frame itself, or when it is large a note about a segment; nil when neither can be sent.
    private func message(of frame: Frame) -> Message? {
        guard frame.payload.count >= limits.segmentBytesMin, let segment = try? SharedSegment(copying: frame.payload),
            let copies = OwnedDescriptor.duplicate([segment.descriptor])
        else { return isSendable(frame) ? (frame, []) : nil }
        return (Frame(kind: Frame.segmentKind, payload: [frame.kind]), copies)
    }

    /// Takes a frame behind its parts, and leaves it to `push` to see to it that it is written. The parts lie in arrays,
    /// which go through the socket from where they are, or in segments.
    package func buffer(_ frame: Frame) -> Bool {
        guard Frame.isForUsers(frame.kind), frame.payload.count <= limits.segmentBytesMax,
            frame.parts.count <= limits.partsMax, frame.parts.reduce(0, { $0 + $1.count }) <= limits.segmentBytesMax,
            frame.parts.allSatisfy({ $0.count > 0 })
        else { return false }
        var messages: [Message] = []
        defer { for message in messages { for copy in message.descriptors { _ = Glibc.close(copy) } } }
        // Much that waits is not to use up the buffer: it waits in memory of its own.
        var waiting = shared.withLock { $0.buffer.byteCount }
        for part in frame.parts {
            if let segment = segment(of: part, waiting), let copies = OwnedDescriptor.duplicate([segment.descriptor]) {
                messages.append((Frame(kind: Frame.partKind), copies))
            } else if case .array(let bytes) = part {
                messages.append((Frame(kind: Frame.partKind, payload: bytes), []))
                waiting += bytes.count
            } else {
                return false
            }
        }
        guard let last = message(of: Frame(kind: frame.kind, payload: frame.payload)) else { return false }
        messages.append(last)
        let byteCount = messages.reduce(0) { $0 + $1.frame.bytesOnWire }
        let isTaken = take(byteCount: byteCount, isLarge: true) { buffer in
            for message in messages { buffer.append(message.frame, descriptors: message.descriptors) }
        }
        // They belong to the buffer now.
        if isTaken { messages = [] }
        return isTaken
    }

    /// The segment in which a part is sent, if it is not sent through the socket.
    private func segment(of part: FramePart, _ waiting: Int) -> SharedSegment? {
        switch part {
        case .segment(let segment): segment
        case .array(let bytes):
            // Without memory for it, it goes through the socket if it can.
            bytes.count > limits.sendBufferBytesMax / 2 - min(waiting, limits.sendBufferBytesMax / 2)
                ? try? SharedSegment(copying: bytes) : nil
        }
    }

    private func isSendable(_ frame: Frame) -> Bool {
        Frame.isForUsers(frame.kind) && frame.lengthField <= limits.frameBytesMax && frame.lengthField <= UInt32.max
    }

    private func send(byteCount: Int, _ append: (inout OutgoingBuffer) -> Void) -> Bool {
        guard take(byteCount: byteCount, append) else { return false }
        push(isUrgent: true)
        return true
    }

    private func take(byteCount: Int, isLarge: Bool = false, _ append: (inout OutgoingBuffer) -> Void) -> Bool {
        let isOnLoop = loop.isCurrent
        let (isTaken, isQueued) = shared.withLock { shared in
            guard shared.acceptsFrames(byteCount: byteCount, limit: limits.sendBufferBytesMax) else {
                return (false, false)
            }
            if isLarge { shared.widen() }
            append(&shared.buffer)
            guard isOnLoop, shared.phase == .open, !shared.isQueuedForFlush else { return (true, false) }
            shared.isQueuedForFlush = true
            return (true, true)
        }
        if isQueued { loop.flushLater(self) }
        return isTaken
    }
}

extension Connection.Shared {
    /// Gives the socket a buffer with which both sides of a large part can be at work at once.
    mutating func widen() {
        guard !isWide, descriptor >= 0 else { return }
        isWide = true
        durable_io_widen(descriptor)
    }

    func acceptsFrames(byteCount: Int, limit: Int) -> Bool {
        (phase == .open || phase == .waiting) && !closesWhenFlushed && writeError == 0
            && byteCount <= limit && buffer.byteCount <= limit - byteCount
    }

    /// Gives the loop what is to be written, if nothing is in the way.
    mutating func beginWriting(_ writing: inout OutgoingBuffer) -> Int32? {
        guard phase == .open, descriptor >= 0, hello.isEmpty, writeError == 0, !buffer.isEmpty else { return nil }
        isQueuedForFlush = false
        isWriting = true
        swap(&writing, &buffer)
        return descriptor
    }

    /// Takes back what the loop has not written, before what was sent since.
    /// - Returns: Whether everything was written and the connection closes then, and whether the loop is to go on.
    mutating func endWriting(
        _ rest: inout OutgoingBuffer,
        error: Int32,
        epoll: Int32,
        key: UInt64
    ) -> (isDone: Bool, isMore: Bool) {
        isWriting = false
        guard error == 0 || error == EAGAIN else {
            writeError = error
            rest.removeAll()
            buffer.removeAll()
            return (false, false)
        }
        if !rest.isEmpty {
            rest.append(contentsOf: buffer)
            buffer = OutgoingBuffer()
            swap(&rest, &buffer)
        }
        if error == 0, !buffer.isEmpty {
            isQueuedForFlush = true
            return (false, true)
        }
        updateInterest(epoll: epoll, key: key)
        return (phase == .open && closesWhenFlushed && buffer.isEmpty, false)
    }

    /// Writes what may be written now and asks epoll about the rest; returns 0 or an error number.
    mutating func flush(epoll: Int32, key: UInt64) -> Int32 {
        guard descriptor >= 0 else { return 0 }
        guard writeError == 0 else { return writeError }
        var error = hello.write(to: descriptor, budget: Connection.flushBytesMax)
        if error == 0, phase == .open {
            error = buffer.write(to: descriptor, budget: Connection.flushBytesMax)
        }
        if error != 0, error != EAGAIN {
            writeError = error
            buffer.removeAll()
            return error
        }
        updateInterest(epoll: epoll, key: key)
        return 0
    }

    /// Reads unless it is about to close, writes only while something waits: an idle socket wakes nobody.
    mutating func updateInterest(epoll: Int32, key: UInt64) {
        guard descriptor >= 0 else { return }
        let isUnread = isLent || (closesWhenFlushed && phase == .open)
        let hasOutput = !hello.isEmpty || (phase == .open && !buffer.isEmpty)
        let wanted =
            (isUnread ? 0 : UInt32(DURABLE_IO_READABLE)) | (hasOutput ? UInt32(DURABLE_IO_WRITABLE) : 0)
        guard wanted != interest else { return }
        interest = wanted
        _ = durable_io_epoll_modify(epoll, descriptor, wanted, key)
    }
}

extension Frame {
    fileprivate static func isForUsers(_ kind: UInt8) -> Bool {
        kind != helloKind && kind != segmentKind && kind != partKind
    }

    fileprivate var bytesOnWire: Int { Frame.headerBytes + payload.count }
}
