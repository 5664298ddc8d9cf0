internal import CDurable
internal import Glibc

/// Frames that wait to be written to one connection, in order.
///
/// Small frames share a chunk, so that one write carries many; a large payload stays the array it came in. Descriptors
/// belong to the first byte of their chunk, and such a chunk holds one frame only: the receiver gives descriptors to
/// the frame that contains the last byte of the message they came with.
struct OutgoingBuffer {
    fileprivate struct Chunk {
        var bytes: [UInt8]
        var descriptors: [Int32] = []
        var isShared = false
    }

    private static let sharedChunkBytesMax = 128 << 10
    private static let keptCapacityMax = 64 << 10
    private static let ownChunkBytesMin = 16 << 10

    private var chunks: [Chunk] = []
    private var head = 0
    private var headOffset = 0
    private(set) var byteCount = 0

    var isEmpty: Bool { byteCount == 0 }

    /// Appends one frame and takes over the descriptors.
    mutating func append(_ frame: Frame, descriptors: [Int32] = []) {
        if byteCount == 0, !descriptors.isEmpty { chunks.removeAll(keepingCapacity: true) }
        byteCount += Frame.headerBytes + frame.payload.count
        guard descriptors.isEmpty else {
            var chunk = Chunk(bytes: [], descriptors: descriptors)
            chunk.bytes.reserveCapacity(Frame.headerBytes + frame.payload.count)
            chunk.bytes.appendHeader(of: frame)
            chunk.bytes.append(contentsOf: frame.payload)
            chunks.append(chunk)
            return
        }
        let isLarge = frame.payload.count >= OutgoingBuffer.ownChunkBytesMin
        prepareSharedChunk()
        let last = chunks.count - 1
        chunks[last].bytes.appendHeader(of: frame)
        if isLarge {
            chunks[last].isShared = false
            chunks.append(Chunk(bytes: frame.payload))
        } else {
            chunks[last].bytes.append(contentsOf: frame.payload)
        }
    }

    /// Appends one small frame whose payload `write` appends to what it is given.
    mutating func append(kind: UInt8, _ write: (inout [UInt8]) -> Void) {
        prepareSharedChunk()
        let last = chunks.count - 1
        let start = chunks[last].bytes.count
        chunks[last].bytes += [0, 0, 0, 0, kind]
        write(&chunks[last].bytes)
        let count = chunks[last].bytes.count - start
        let length = UInt32(count - Frame.headerBytes + 1)
        for index in 0..<4 {
            chunks[last].bytes[start + index] = UInt8(truncatingIfNeeded: length >> (8 * UInt32(index)))
        }
        byteCount += count
    }

    /// Appends what waits in another buffer, of which nothing has been written.
    mutating func append(contentsOf other: OutgoingBuffer) {
        guard !other.isEmpty else { return }
        chunks += other.chunks
        byteCount += other.byteCount
    }

    /// Writes until everything is written, the socket is full or `budget` bytes are gone; returns 0 or an error number.
    mutating func write(to fd: Int32, budget: Int) -> Int32 {
        var left = budget
        while byteCount > 0, left > 0 {
            let sent = sendSome(to: fd)
            if sent == -Int64(EINTR) { continue }
            guard sent >= 0 else { return Int32(-sent) }
            left -= Int(sent)
            var consumed = Int(sent)
            while consumed > 0 {
                let count = min(consumed, chunks[head].bytes.count - headOffset)
                consume(count)
                consumed -= count
            }
        }
        return 0
    }

    /// The most chunks of one write.
    private static let piecesMax = 4

    /// Writes the first chunk, and those behind it that come without descriptors.
    private func sendSome(to fd: Int32) -> Int64 {
        guard chunks[head].descriptors.isEmpty, head + 1 < chunks.count, chunks[head + 1].descriptors.isEmpty else {
            return chunks[head].descriptors.withUnsafeBufferPointer { descriptors in
                chunks[head].bytes.withUnsafeBytes { bytes in
                    let rest = UnsafeRawBufferPointer(rebasing: bytes[headOffset...])
                    return durable_io_send(fd, rest.baseAddress, rest.count, descriptors.baseAddress, descriptors.count)
                }
            }
        }
        var pieces: [iovec] = []
        pieces.reserveCapacity(Self.piecesMax)
        return sendPieces(to: fd, &pieces)
    }

    private func sendPieces(to fd: Int32, _ pieces: inout [iovec]) -> Int64 {
        let next = head + pieces.count
        guard pieces.count < Self.piecesMax, next < chunks.count, chunks[next].descriptors.isEmpty else {
            return durable_io_send_pieces(fd, pieces, pieces.count)
        }
        return chunks[next].bytes.withUnsafeBytes { bytes in
            let rest = UnsafeRawBufferPointer(rebasing: bytes[(pieces.isEmpty ? headOffset : 0)...])
            pieces.append(iovec(iov_base: UnsafeMutableRawPointer(mutating: rest.baseAddress), iov_len: rest.count))
            return sendPieces(to: fd, &pieces)
        }
    }

    /// Drops everything and closes the descriptors that were never sent.
    mutating func removeAll() {
        for chunk in chunks { chunk.closeDescriptors() }
        self = OutgoingBuffer()
    }

    private mutating func prepareSharedChunk() {
        if let last = chunks.last, last.isShared, last.bytes.count < OutgoingBuffer.sharedChunkBytesMax { return }
        chunks.append(Chunk(bytes: [], isShared: true))
    }

    private mutating func consume(_ count: Int) {
        byteCount -= count
        headOffset += count
        if !chunks[head].descriptors.isEmpty {
            chunks[head].closeDescriptors()
            chunks[head].descriptors = []
        }
        guard headOffset == chunks[head].bytes.count else { return }
        headOffset = 0
        if byteCount == 0 {
            recycle()
        } else {
            chunks[head].bytes = []
            head += 1
            if head > 32, head > chunks.count / 2 {
                chunks.removeFirst(head)
                head = 0
            }
        }
    }

    /// Keeps one small chunk's memory for the next frame.
    private mutating func recycle() {
        var kept = chunks.removeLast()
        chunks.removeAll(keepingCapacity: true)
        head = 0
        guard kept.isShared, kept.bytes.capacity <= OutgoingBuffer.keptCapacityMax else { return }
        kept.bytes.removeAll(keepingCapacity: true)
        chunks.append(kept)
    }
}

extension OutgoingBuffer.Chunk {
    fileprivate func closeDescriptors() {
        for descriptor in descriptors { _ = Glibc.close(descriptor) }
    }
}

extension [UInt8] {
    fileprivate mutating func appendHeader(of frame: Frame) {
        let length = UInt32(frame.lengthField)
        append(UInt8(truncatingIfNeeded: length))
        append(UInt8(truncatingIfNeeded: length >> 8))
        append(UInt8(truncatingIfNeeded: length >> 16))
        append(UInt8(truncatingIfNeeded: length >> 24))
        append(frame.kind)
    }
}
