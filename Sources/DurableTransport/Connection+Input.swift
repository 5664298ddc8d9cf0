internal import CDurable
internal import Glibc
internal import Synchronization

/// What arrives: on the loop, or for a caller that waits for its answer, on its thread.
extension Connection {
    /// Reads of one event while a large frame is under way; small frames get one, so that others have their turn.
    private static let readsPerEventMax = 8
    /// Reads after a failed write; a full kernel buffer takes one or two.
    private static let readsUntilEndMax = 64

    /// What came of one read.
    enum Progress {
        case more
        /// Nothing is there now.
        case drained
        /// Frames are not listened to any more; whoever decided that also ends the connection.
        case deaf
        case ended(TransportError?)
    }

    func ready(_ events: UInt32) {
        // Not at once: frames that were sent in this batch must wait for the batch-end hook.
        if events & UInt32(DURABLE_IO_WRITABLE) != 0 { queueFlush() }
        let readable = UInt32(DURABLE_IO_READABLE | DURABLE_IO_ERROR | DURABLE_IO_HANGUP)
        guard events & readable != 0 else { return }
        guard !isDeaf.load(ordering: .relaxed) else {
            if events & UInt32(DURABLE_IO_ERROR | DURABLE_IO_HANGUP) != 0 {
                finish(TransportError(.closed, "the peer left before it read everything"))
            }
            return
        }
        // A caller that reads sees the same, and gives the reading back; epoll then tells it again.
        let progress = reading.withLockIfAvailable { _ in readSome() } ?? .drained
        if case .ended(let error) = progress { finish(error) }
    }

    /// Delivers what the peer sent before it went.
    func readUntilEnd() {
        for _ in 0..<Connection.readsUntilEndMax where !isDeaf.load(ordering: .relaxed) {
            switch reading.withLock({ _ in read(into: loop.readBuffer, waits: false) }) {
            case .more, .drained: continue
            case .deaf: return
            case .ended(let error): return finish(error)
            }
        }
    }

    private func readSome() -> Progress {
        for _ in 0..<Connection.readsPerEventMax {
            let progress = read(into: loop.readBuffer, waits: false)
            guard case .more = progress, confined.reader.missingBytes > 0 else { return progress }
        }
        return .more
    }

    /// Reads once and delivers what has arrived; only under the lock `reading`.
    func read(into buffer: UnsafeMutableRawBufferPointer, waits: Bool) -> Progress {
        let descriptor = confined.readable
        guard descriptor >= 0 else { return .deaf }
        var received = durable_io_received()
        // A large part goes where it stays; the reader knows then what has arrived.
        let direct = confined.reader.readPart {
            durable_io_receive(descriptor, $0.baseAddress, $0.count, waits ? 1 : 0, &received)
        }
        let count =
            direct ?? durable_io_receive(descriptor, buffer.baseAddress, buffer.count, waits ? 1 : 0, &received)
        switch count {
        case 0:
            return .ended(errorAtEndOfStream)
        case -Int64(EAGAIN), -Int64(EINTR):
            return .drained
        case ..<0:
            return .ended(TransportError(errno: Int32(-count), "the connection broke while reading"))
        default:
            let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<(direct == nil ? Int(count) : 0)])
            let descriptors = received.owned
            do throws(TransportError) {
                guard received.truncated == 0 else {
                    throw TransportError(.protocolViolation, "descriptors that the peer sent were lost")
                }
                try deliver(bytes, descriptors: descriptors)
            } catch {
                return .ended(error)
            }
            return isDeaf.load(ordering: .relaxed) ? .deaf : .more
        }
    }

    private func deliver(_ bytes: UnsafeRawBufferPointer, descriptors: [OwnedDescriptor]) throws(TransportError) {
        defer { if let drained = confined.handler?.drained { drained(self) } }
        var fresh = descriptors
        var offset = 0
        while !isDeaf.load(ordering: .relaxed), let frame = try confined.reader.next(in: bytes, offset: &offset) {
            var own = confined.carried
            confined.carried = []
            if offset == bytes.count {
                // The kernel ends a read behind the bytes that descriptors came with: they belong to the last frame.
                own += fresh
                fresh = []
            }
            try checkCount(of: own)
            try deliver(frame, descriptors: own)
        }
        guard !isDeaf.load(ordering: .relaxed) else { return }
        confined.carried += fresh
        try checkCount(of: confined.carried)
    }

    private func deliver(_ frame: Frame, descriptors: [OwnedDescriptor]) throws(TransportError) {
        guard confined.isGreeted else {
            guard descriptors.isEmpty else {
                throw TransportError(.protocolViolation, "the peer sent descriptors with its Hello")
            }
            return greeted(by: try Handshake.hello(from: frame))
        }
        guard frame.kind != Frame.helloKind else {
            throw TransportError(.protocolViolation, "the peer said Hello again")
        }
        guard frame.kind != Frame.partKind else { return try keep(frame, descriptors) }
        guard frame.kind == Frame.segmentKind else { return give(frame, descriptors) }
        guard frame.payload.count == 1, frame.payload[0] != Frame.helloKind, frame.payload[0] != Frame.segmentKind,
            frame.payload[0] != Frame.partKind, descriptors.count == 1
        else {
            throw TransportError(.protocolViolation, "a note about shared bytes cannot be read")
        }
        let segment = try SharedSegment(adopting: descriptors[0], limit: limits.segmentBytesMax)
        give(Frame(kind: frame.payload[0], payload: try segment.bytes()), [])
    }

    private func give(_ frame: Frame, _ descriptors: [OwnedDescriptor]) {
        var frame = frame
        swap(&frame.parts, &confined.parts)
        confined.handler?.received(self, frame, descriptors)
    }

    /// Keeps a part until its frame has arrived.
    private func keep(_ frame: Frame, _ descriptors: [OwnedDescriptor]) throws(TransportError) {
        let before = confined.parts.reduce(0) { $0 + $1.count }
        if descriptors.isEmpty, !frame.payload.isEmpty {
            confined.parts.append(.array(frame.payload))
        } else if descriptors.count == 1, frame.payload.isEmpty {
            confined.parts.append(.segment(try SharedSegment(adopting: descriptors[0], limit: limits.segmentBytesMax)))
        } else {
            throw TransportError(.protocolViolation, "a part of a frame cannot be read")
        }
        let count = before + (confined.parts.last?.count ?? 0)
        guard count <= limits.segmentBytesMax, confined.parts.count <= limits.partsMax else {
            let what = "\(confined.parts.count) parts of \(count) bytes"
            throw TransportError(.frameTooLarge, "the peer sent \(what); the limit is \(limits.segmentBytesMax)")
        }
    }

    private func checkCount(of descriptors: [OwnedDescriptor]) throws(TransportError) {
        guard descriptors.count > limits.descriptorsMax else { return }
        throw TransportError(
            .protocolViolation,
            "the peer sent \(descriptors.count) descriptors with one frame; the limit is \(limits.descriptorsMax)"
        )
    }

    /// What is wrong with an end of the stream that is read now, if anything.
    private var errorAtEndOfStream: TransportError? {
        if confined.reader.isInsideFrame {
            TransportError(.closed, "the peer left inside a frame, after \(confined.reader.progress)")
        } else if !confined.isGreeted {
            TransportError(.closed, "the peer left before its Hello")
        } else {
            nil
        }
    }
}

extension durable_io_received {
    /// The descriptors, each with an owner that closes it.
    fileprivate var owned: [OwnedDescriptor] {
        guard descriptor_count > 0 else { return [] }
        return withUnsafeBytes(of: descriptors) { bytes in
            bytes.bindMemory(to: Int32.self).prefix(Int(descriptor_count)).map { OwnedDescriptor($0) }
        }
    }
}
