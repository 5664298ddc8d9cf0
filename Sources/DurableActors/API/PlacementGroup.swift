internal import CBOR
public import DurableCore

/// Resources that are reserved together, on one node or on several: bundles, for actors that are created in them.
///
/// It belongs to the driver or the actor that made it and ends with that, also with the present life of the actor only,
/// unless it is detached. A value: it can be passed to actors.
public struct PlacementGroup: Sendable, Hashable, Codable {
    /// Its identity.
    public let id: PlacementGroupID
    private let runtime: ActorRuntime

    init(_ id: PlacementGroupID, _ runtime: ActorRuntime) {
        self.id = id
        self.runtime = runtime
    }

    /// Waits until all bundles are reserved. Ray: `ready`, `wait`.
    /// - Parameter timeout: How long at most; without one, as long as it takes.
    /// - Returns: Whether they are.
    /// - Throws: ``ActorError`` with `notFound` when the placement group was removed.
    @discardableResult
    public func ready(timeout: Duration? = nil) async throws -> Bool {
        let milliseconds = timeout.map { Int64(clamping: $0.wholeMilliseconds) }
        return try await runtime.placementGroups(.wait(id, milliseconds: milliseconds)).first?.state == .created
    }

    /// Where it stands, and its bundles.
    /// - Throws: ``ActorError`` with `notFound` when it was removed.
    public func summary() async throws -> PlacementGroupSummary {
        guard let summary = try await runtime.placementGroups(.wait(id, milliseconds: 0)).first else {
            throw ActorError(.notFound, "the placement group \(id) was removed")
        }
        return summary
    }

    /// Removes it: its actors are killed and never restarted, its resources are free. Returns when the processes are
    /// gone. To remove it again is no error.
    public func remove() async throws { _ = try await runtime.ask(.placementGroup(.remove(id))) }

    /// The strategy for an actor that is to be in it.
    /// - Parameters:
    ///   - bundle: The bundle's number, from 0; without one, any that has room.
    ///   - capturesChildren: Whether actors that it creates are in the placement group too.
    public func strategy(bundle: Int? = nil, capturesChildren: Bool = false) -> SchedulingStrategy {
        .placementGroup(id, bundle: bundle, capturesChildren: capturesChildren)
    }

    /// Two are equal if they have the same identity.
    public static func == (left: Self, right: Self) -> Bool { left.id == right.id }

    /// By the identity.
    public func hash(into hasher: inout Hasher) { hasher.combine(id) }

    /// Reads the identity; the decoder belongs to a runtime.
    public init(from decoder: any Decoder) throws {
        guard let runtime = decoder.userInfo[.actorSystemKey] as? ActorRuntime else {
            let message = "a placement group can be decoded by a runtime only"
            throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: message))
        }
        self.init(try PlacementGroupID(from: decoder), runtime)
    }

    /// Writes the identity.
    public func encode(to encoder: any Encoder) throws { try id.encode(to: encoder) }
}

extension ActorRuntime {
    /// Makes a placement group. Returns when its record is durable; its bundles are reserved when there is room for all
    /// of them: see ``PlacementGroup/ready(timeout:)``.
    /// - Parameters:
    ///   - bundles: What each bundle reserves; none may be empty.
    ///   - strategy: How they are put on nodes.
    ///   - name: The name it can be found under.
    ///   - namespace: The name's scope; without one, that of the actor whose code asks, or `default` in a driver.
    ///   - isDetached: Whether it outlives whoever makes it, until it is removed.
    /// - Throws: ``ActorError`` with `invalidArgument` or `nameTaken`.
    public func placementGroup(
        bundles: [Resources],
        strategy: PlacementStrategy = .pack,
        name: String? = nil,
        namespace: String? = nil,
        isDetached: Bool = false
    ) async throws -> PlacementGroup {
        var generator = SystemRandomNumberGenerator()
        let wish = PlacementGroupWish(
            id: PlacementGroupID(random: &generator),
            name: name,
            namespace: scope(namespace),
            strategy: strategy,
            bundles: bundles,
            owner: isDetached ? .detached : owner
        )
        _ = try PlacementGroupRecord(wish)
        _ = try await placementGroups(.create(wish))
        return PlacementGroup(wish.id, self)
    }

    /// Finds a placement group by its name.
    /// - Throws: ``ActorError`` with `notFound`.
    public func placementGroup(named name: String, namespace: String? = nil) async throws -> PlacementGroup {
        let found = try await placementGroups(.lookup(name: name, namespace: scope(namespace)))
        guard let id = found.first?.id else { throw ActorError(.notFound, "no placement group \"\(name)\"") }
        return PlacementGroup(id, self)
    }

    /// Removes a placement group, as ``PlacementGroup/remove()`` does.
    public func remove(_ group: PlacementGroup) async throws { try await group.remove() }

    /// All placement groups, of every driver.
    public func placementGroups() async throws -> [PlacementGroupSummary] { try await placementGroups(.list) }

    func placementGroups(_ request: PlacementGroupRequest) async throws -> [PlacementGroupSummary] {
        guard case .placementGroups(let list) = try await ask(.placementGroup(request)) else {
            throw ActorError(.internalError, "the supervisor gave an answer of another kind")
        }
        return list
    }
}

extension ActorContext {
    /// The placement group that the code's actor is in; `nil` outside of one. Of code that runs outside of actors there is
    /// no context, so that a driver has none either.
    public var placementGroup: PlacementGroupID? { bundle?.placementGroup }
}
