internal import CBOR
internal import DurableCore
internal import DurableProcess
internal import DurableTransport
internal import Glibc

/// Drivers: who belongs to the runtime, what they own, and the end when the last one is gone.
extension Supervisor {
    func driverHandler(_ hello: Hello) -> ConnectionHandler? {
        guard let greeting = try? CBORDecoder().decode(DriverGreeting.self, from: hello.info), !isEnding else {
            return nil
        }
        return ConnectionHandler(
            opened: { [unowned self] in driverJoined(greeting, $0) },
            received: { [unowned self] connection, frame, _ in received(frame, on: connection, from: greeting.id) },
            closed: { [unowned self] connection, _ in driverDisconnected(greeting.id, connection) }
        )
    }

    private func driverJoined(_ greeting: DriverGreeting, _ connection: Connection) {
        isSettled = true
        if let known = drivers[greeting.id] {
            known.connection = connection
        } else {
            let pid = connection.peer.pid
            guard let handle = try? ProcessHandle.adopt(peer: pid) else {
                connection.close()
                return
            }
            let driver = Driver(id: greeting.id, handle: handle, executable: greeting.executable)
            driver.connection = connection
            drivers[greeting.id] = driver
            changes.drivers.append(
                RegistryStore.Driver(id: greeting.id, pid: pid, startTime: handle.startTime)
            )
            persistSoon()
            watch(driver)
        }
        refill(greeting.executable)
    }

    func watch(_ driver: Driver) {
        let id = driver.id
        driver.watch = try? loop.watch(driver.handle.descriptor) { [unowned self] in driverLeft(id) }
        // Without a watch, a driver that ends is noticed when its connection closes.
    }

    private func driverDisconnected(_ id: DriverID, _ connection: Connection) {
        guard let driver = drivers[id], driver.connection === connection else { return }
        driver.connection = nil
        guard driver.handle.isAlive else {
            driverLeft(id)
            return
        }
        loop.schedule(after: Limits.driverReturnTimeout) { [self] in
            if drivers[id]?.connection == nil { driverLeft(id) }
        }
    }

    /// The driver ended or said that it leaves: what it owns ends with it.
    func driverLeft(_ id: DriverID) {
        guard let driver = drivers.removeValue(forKey: id) else { return }
        driver.watch?.cancel()
        changes.leftDrivers.append(id)
        changes.drivers.removeAll { $0.id == id }
        persistSoon()
        endActors(registry.owned(by: .driver(id)), because: .ownerDied)
        removePlacementGroups(ownedBy: .driver(id))
        endIfUnused()
    }

    /// Nobody is here and nothing runs: the supervisor ends, and leaves no process behind.
    func endIfUnused() {
        guard endsInProgress == 0 else { return }
        // What was released may start somebody who waits: then the answer is another.
        let isStopping = isPlacing || hosted.values.contains { $0.slot.isEnding }
        // Nobody else can come for what is in a temporary directory.
        let isUsed = !drivers.isEmpty || !configuration.isEphemeral && hosted.values.contains(where: isUsed)
        if !isStopping {
            // Those who left are answered once nothing of theirs runs any more.
            for answer in leaveWaiters { answer(.left(isLast: !isUsed)) }
            leaveWaiters = []
        }
        guard isSettled, !isEnding, !isUsed, !isPlacing else { return }
        isEnding = true
        loop.execute { [self] in shutDown() }
    }

    private func shutDown() {
        listener?.close()
        unlink(layout.socket)
        for worker in pool.workers.values {
            if worker.connection?.send(endFrame) != true { worker.kill() }
        }
        let deadline = now + Limits.shutdownTimeout
        waitForWorkers(until: deadline)
    }

    private var endFrame: Frame {
        // Encoding a case without values cannot fail; an empty command makes the worker end just as well.
        Frame(kind: FrameKind.command, payload: (try? CBOREncoder().encode(WorkerCommand.end)) ?? [])
    }

    private func waitForWorkers(until deadline: Duration) {
        guard !pool.workers.isEmpty else {
            finish()
            return
        }
        if now >= deadline { for worker in pool.workers.values { worker.kill() } }
        loop.schedule(after: .milliseconds(1)) { [self] in waitForWorkers(until: deadline) }
    }

    private func finish() {
        persist()
        store.close()
        if configuration.isEphemeral { RuntimeDirectory.remove(layout.directory) }
        loop.stop()
    }
}
