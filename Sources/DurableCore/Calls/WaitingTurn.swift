/// A turn that waits for a call that it has made, and keeps its place at its actor until the call is answered.
package struct WaitingTurn: Sendable, Hashable {
    /// The actor whose turn it is.
    package var actor: ActorID
    /// The turn's own call; `nil` when it is the actor's start.
    package var call: CallName?
    /// The life in which it waits. What later lives run again may do something else.
    package var epoch: Epoch
    /// The actor's type, for people; cut to 64 bytes.
    package var type: String

    package init(actor: ActorID, call: CallName?, epoch: Epoch, type: String) {
        self.actor = actor
        self.call = call
        self.epoch = epoch
        self.type = type
        while self.type.utf8.count > 64 { self.type.removeLast() }
    }

    private enum Kind: UInt8 { case start, id, key }

    func write(to writer: inout ByteWriter) {
        writer.write(actor)
        switch call {
        case nil:
            writer.write(Kind.start.rawValue)
        case .id(let id):
            writer.write(Kind.id.rawValue)
            writer.write(id.session)
            writer.write(id.sequence)
        case .key(let key):
            writer.write(Kind.key.rawValue)
            writer.write(key)
        }
        writer.write(epoch)
        writer.write(counted: type)
    }

    init(from reader: inout ByteReader) throws(MalformedBytes) {
        actor = try reader.readIdentifier()
        let kind = try reader.readByte()
        switch Kind(rawValue: kind) {
        case .start: call = nil
        case .id: call = .id(CallID(session: try reader.readIdentifier(), sequence: try reader.read()))
        case .key: call = .key(try reader.readIdentifier())
        case nil: throw MalformedBytes("\(kind) is no kind of a turn that waits")
        }
        epoch = try reader.read()
        type = try reader.readCountedText()
    }
}

/// The turns that wait for a call, the one that made it last.
package struct WaitingTurns: Sendable, Hashable {
    /// Who waits; of very long rows, those who began to wait last.
    package private(set) var turns: [WaitingTurn]

    package init(_ turns: [WaitingTurn] = []) { self.turns = turns.suffix(Limits.waitingTurnsMax) }

    /// These turns, and one that waits for them.
    package func followed(by turn: WaitingTurn) -> WaitingTurns { WaitingTurns(turns + [turn]) }

    /// The calls of an actor's present life that wait.
    package func calls(of actor: ActorID, in epoch: Epoch) -> Set<CallName> {
        Set(turns.lazy.filter { $0.actor == actor && $0.epoch == epoch }.compactMap(\.call))
    }

    /// Whether an actor waits before it has started.
    package func includesStart(of actor: ActorID) -> Bool { turns.contains { $0.actor == actor && $0.call == nil } }

    /// The error of a call to an actor that waits for it.
    package func error(of actor: ActorID) -> ActorError {
        let first = turns.firstIndex { $0.actor == actor } ?? turns.startIndex
        let names = turns[first...].map { "\($0.type) \(String($0.actor.description.prefix(8)))" }
        let cycle = (names + names.prefix(1)).joined(separator: " -> ")
        let message = """
            the call would wait for itself, and was not run: \(cycle); submit it and do not wait for it, or let several \
            calls of the actor run at once
            """
        return ActorError(.deadlock, message, actor: actor)
    }
}
