extension ActorID {
    /// The identity of an actor that another one creates: the same whenever that does so again.
    /// - Parameters:
    ///   - parent: The actor that creates it, and the call that it runs; `nil` for its constructor.
    ///   - kind: What is created.
    ///   - number: How many of exactly this kind the parent created before.
    package init?(parent: (actor: ActorID, call: CallName?), kind: [UInt8], number: UInt64) {
        var writer = ByteWriter(reserving: kind.count + 64)
        writer.write(raw: Array("child".utf8))
        writer.write(parent.actor)
        switch parent.call {
        case nil:
            writer.write(0 as UInt8)
        case .id(let id):
            writer.write(1 as UInt8)
            writer.write(id.session)
            writer.write(id.sequence)
        case .key(let key):
            writer.write(2 as UInt8)
            writer.write(key)
        }
        writer.write(number)
        writer.write(raw: kind)
        self.init(bytes: SipHash128.hash(writer.bytes))
    }
}
