// Nested containers and super encoders, whose writing may alternate with that of their parent.
extension EncoderNode {
    /// Starts a place inside this container, after its key or at the next index, that stays open until this one closes.
    func openNested(key: any CodingKey, begin: () throws -> Void) -> EncoderNode {
        let child: EncoderNode
        session.isReusable = false
        do {
            guard depth + 1 < session.depthMax && level < session.levelMax else {
                throw invalid("nested deeper than \(session.depthMax) levels", key: key)
            }
            try begin()
            child = EncoderNode(session: session, sink: sink)
            child.open(type: nil, parent: self, key: key, level: level + 1, depth: depth + 1)
            nested = child
        } catch {
            // Nothing can be thrown here: what is written to the child goes nowhere, and closing this node throws.
            if session.failure == nil { session.failure = error as? EncodingError ?? invalid("\(error)", key: key) }
            child = EncoderNode(session: session, sink: EncodingSink())
            child.open(type: nil, parent: nil, key: key, level: level, depth: depth)
        }
        return child
    }

    /// Moves the nested container that is in the way to a buffer of its own, so that this node can write again.
    func regainTurn() throws {
        guard content != .closed, let nested, output.pointee.turn == nested.innermost.level else {
            throw invalid("written to while it is not the innermost open container")
        }
        self.nested = nil
        let byteOffset = nested.start
        let entryOffset = nested.firstEntry
        let own = EncodingSink()
        own.writer.pointee.turn = output.pointee.turn
        own.writer.pointee.bytes.append(contentsOf: output.pointee.bytes.array(from: byteOffset))
        for entry in output.pointee.entries.array(from: entryOffset) {
            own.writer.pointee.entries.append(
                MapEntry(keyStart: entry.keyStart - byteOffset, valueStart: entry.valueStart - byteOffset, end: 0)
            )
        }
        let position = content == .map ? output.pointee.entries[entryOffset - 1].keyStart : nested.start
        output.pointee.truncate(byteCount: byteOffset, entryCount: entryOffset)
        output.pointee.turn = level
        nested.move(to: own, byteOffset: byteOffset, entryOffset: entryOffset)
        detached.append((position, nested))
    }

    /// The deepest of the nested containers that lie inside one another at the end of the buffer.
    private var innermost: EncoderNode {
        var node = self
        while let next = node.nested { node = next }
        return node
    }

    private func move(to own: EncodingSink, byteOffset: Int, entryOffset: Int) {
        sink = own
        start -= byteOffset
        firstEntry -= entryOffset
        for index in detached.indices { detached[index].position -= byteOffset }
        nested?.move(to: own, byteOffset: byteOffset, entryOffset: entryOffset)
    }

    /// Closes a node that has a buffer of its own and returns the buffer.
    func closedBytes() throws -> [UInt8] {
        try close()
        return output.pointee.bytes.array()
    }
}
