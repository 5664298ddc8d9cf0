internal import Distributed

/// What the handles of an actor share that ends with its last handle: it is kept by them, and counted by its owner.
///
/// It is carried by the identity that a handle has, because a handle is a remote distributed actor, which has no place
/// for anything else and no code that runs at its end.
package final class HandleToken: Sendable {
    /// What it is known by to another process that is about to get a handle; `nil` when the bytes may outlast all
    /// processes' knowledge of them: then the actor is kept for good, and the handle in them does not count.
    package let export: @Sendable () -> ObjectID?

    package init(export: @escaping @Sendable () -> ObjectID?) { self.export = export }
}

/// What knows the tokens of handles that are decoded: a runtime.
package protocol HandleTokenSource {
    /// The token of a handle that another process has sent; `nil` when its actor is not kept any more.
    func handleToken(_ id: ObjectID) -> HandleToken?
}

/// The form of an identity without a token is the one that it had before there were tokens.
extension ActorID: Codable {
    private enum CodingKeys: String, CodingKey { case high, low, handle }

    /// Reads an identity, with the token of the handle that it was part of.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        high = try container.decode(UInt64.self, forKey: .high)
        low = try container.decode(UInt64.self, forKey: .low)
        guard let object = try container.decodeIfPresent(ObjectID.self, forKey: .handle) else { return }
        token = (decoder.userInfo[.actorSystemKey] as? any HandleTokenSource)?.handleToken(object)
    }

    /// Writes the identity, and what its token is known by.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(high, forKey: .high)
        try container.encode(low, forKey: .low)
        try container.encodeIfPresent(token?.export(), forKey: .handle)
    }
}
