public import DurableCore

/// Nodes of the runtime.
///
/// They are logical: pools of resources with the workers that hold them, all on this machine. The node `head` is always
/// there.
extension ActorRuntime {
    /// Adds a node; those who wait for what it has are placed on it. It goes with the runtime.
    /// - Parameters:
    ///   - name: Its name; 1 to 128 of `A-Z a-z 0-9 . _ -`, not starting with a dot.
    ///   - resources: What it has. Its GPUs are numbered from 0, also when other nodes have the same ones.
    /// - Throws: ``ActorError`` with `invalidArgument` or `nameTaken`.
    public func addNode(name: String, resources: Resources) async throws {
        _ = try await ask(.node(.add(try NodeDeclaration(name: name, resources))))
    }

    /// Has a node take no new actors. Those on it that may be restarted at all start anew on other nodes, with their
    /// state, and without a restart being counted; the others stay until they end. So do the actors of a placement group.
    /// - Throws: ``ActorError`` with `notFound`, or with `invalidArgument` for the head node.
    public func drainNode(_ name: String) async throws { _ = try await ask(.node(.drain(name))) }

    /// Kills a node with all of its workers, as when a machine is lost. Their actors start on other nodes, if they have
    /// restarts left; each counts as one, unless the node was drained before. Returns when the processes are gone.
    /// - Throws: ``ActorError`` with `notFound`, or with `invalidArgument` for the head node.
    public func killNode(_ name: String) async throws { _ = try await ask(.node(.kill(name))) }

    /// All nodes, in the order of their coming.
    public func nodes() async throws -> [NodeSummary] {
        guard case .nodes(let list) = try await ask(.node(.list)) else {
            throw ActorError(.internalError, "the supervisor gave an answer of another kind")
        }
        return list
    }
}
