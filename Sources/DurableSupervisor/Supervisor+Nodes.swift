internal import DurableCore

/// Nodes: pools of resources with the workers that hold them.
extension Supervisor {
    func perform(_ request: NodeRequest, _ answer: @escaping @Sendable (SupervisorResponse) -> Void) {
        switch request {
        case .add(let declaration):
            answer(add(declaration))
        case .drain(let name):
            answer(refusal(of: name) ?? drain(name))
        case .kill(let name):
            if let refusal = refusal(of: name) { return answer(refusal) }
            kill(name, answer)
        case .list:
            answer(.nodes(placement.nodes.map(NodeSummary.init)))
        }
    }

    /// Takes over the nodes of a former supervisor's time.
    func restoreNodes() throws {
        let stored = try store.nodes()
        for declaration in stored { placement.add(declaration) }
        // For those who read the registry only: what the head has is decided anew by each supervisor.
        if !stored.contains(configuration.head) { changes.placement.append(.node(configuration.head)) }
    }

    /// Nobody is left of the runtime that had them.
    func forgetNodesIfUnused() {
        guard drivers.isEmpty, hosted.values.allSatisfy({ $0.worker == nil }) else { return }
        for node in placement.nodes where node.name != NodeDeclaration.headName {
            _ = placement.remove(node.name)
            changes.placement.append(.nodeGone(node.name))
        }
        notePlacementGroups()
        persistSoon()
    }

    private func add(_ declaration: NodeDeclaration) -> SupervisorResponse {
        guard placement.nodes.count < Limits.nodesMax else {
            let message = "there are \(Limits.nodesMax) nodes, the most that there may be; kill one first"
            return .failed(ActorError(.limitExceeded, message))
        }
        guard placement.add(declaration) else {
            let message = "there is a node \"\(declaration.name)\" already; kill it first, or use another name"
            return .failed(ActorError(.nameTaken, message))
        }
        changes.placement.append(.node(declaration))
        if let error = persist() {
            _ = placement.remove(declaration.name)
            changes.placement.removeAll { $0 == .node(declaration) }
            return .failed(error)
        }
        placeWaitingSoon()
        return .done
    }

    /// Why nothing is done to a node.
    private func refusal(of name: String) -> SupervisorResponse? {
        guard placement.node(name) != nil else { return .failed(ActorError(.notFound, "there is no node \"\(name)\"")) }
        guard name != NodeDeclaration.headName else {
            let message = "the node \"\(name)\" is where the drivers are; shut the runtime down instead"
            return .failed(ActorError(.invalidArgument, message))
        }
        return nil
    }

    private func drain(_ name: String) -> SupervisorResponse {
        let onIt = placement.drain(name)
        if let node = placement.node(name) { changes.placement.append(.node(node.declaration)) }
        for id in onIt {
            guard let record = registry.records[id], let hosted = hosted[record.shard],
                hosted.slot.policy.maxRestarts != 0, placement.holdings[id]?.bundle == nil
            else { continue }
            move(record, hosted, because: .nodeDrained(name: name))
        }
        // Whoever is told finds it so also under the next supervisor.
        persist()
        return .done
    }

    /// Kills all workers of a node as one; what may be restarted is, elsewhere. Answered when the processes are gone.
    private func kill(_ name: String, _ answer: @escaping @Sendable (SupervisorResponse) -> Void) {
        let isDraining = placement.node(name)?.isDraining == true
        let cause = isDraining ? DeathCause.nodeDrained(name: name) : .nodeDied(name: name)
        let lost = placement.remove(name)
        changes.placement.append(.nodeGone(name))
        persist()
        let remaining = Countdown(lost.count) { answer(.done) }
        for id in lost {
            guard let record = registry.records[id], let hosted = hosted[record.shard] else {
                remaining.step()
                continue
            }
            if hosted.worker == nil {
                remaining.step()
            } else {
                hosted.waiters.append((hosted.slot.incarnation, { remaining.step() }))
            }
            move(record, hosted, because: cause)
        }
        notePlacementGroups()
        persistSoon()
        placeWaitingSoon()
    }

    /// This life of an actor ends, and the next one is placed anew.
    private func move(_ record: ActorRecord, _ hosted: Hosted, because cause: DeathCause) {
        releaseResources(of: record.id)
        if hosted.worker != nil {
            perform(hosted.slot.killLife(because: cause), on: record.shard)
        } else if waiting.contains(record.shard) {
            // It was placed, and had no worker yet: nobody has to die.
            waiting.removeAll { $0 == record.shard }
            if hasResources(record.shard, hosted) { waiting.append(record.shard) }
            assignWaiting()
        }
    }
}
