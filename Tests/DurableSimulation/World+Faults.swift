import DurableChaos
import DurableCore

/// What goes on beside the product: calls that are made, and what goes wrong from outside.
extension World {
    func begin() {
        for _ in 0..<scenario.driverCount { join() }
        goWrong()
    }

    private func join() {
        driversMade += 1
        let driver = SimulatedDriver(driversMade, in: self)
        drivers.append(driver)
        note(.driverJoins, UInt64(driver.number), 0, 0)
        supervisor?.joined(driver)
        wakeSupervisor()
        callOn(driver)
    }

    private func callOn(_ driver: SimulatedDriver) {
        let isIdle = random.oneIn(25)
        let pause: UInt64 =
            isIdle ? random.number(100_000...4_000_000) : random.number(scenario.pause / 4...scenario.pause)
        driver.after(pause) { [self] driver in
            guard callsLeft > 0, !isHealed else { return }
            // Calls come in bursts.
            for _ in 0..<random.number(1...4) where callsLeft > 0 {
                callsLeft -= 1
                driver.calls(random.number(0...scenario.plans.count - 1))
            }
            callOn(driver)
        }
    }

    /// Chooses what a driver calls next.
    func chooseCall(of channel: SimulatedChannel) -> Int {
        let number = oracle.calls.count
        var call = Oracle.Call(
            actor: channel.actor,
            driver: channel.driver.number,
            operation: Operation(.add, UInt64(number)),
            retries: [.unlimited, .unlimited, .unlimited, .unlimited, 3, 1, 0][random.number(0...6)]
        )
        if roll(.poison) {
            call.operation.kind = .poison
        } else if random.oneIn(4) {
            call.operation.kind = .read
        } else if random.oneIn(6) {
            let key = CallKey(text: "key \(random.number(1...3))", of: channel.actor)
            let known = keyedOperations[key]
            let retention: UInt64 = random.oneIn(2) ? 1_500 : 3_600_000
            let (operation, deduplication) =
                known
                ?? (
                    Operation(.add, UInt64(1_000_000 + keyedOperations.count)),
                    Deduplication(key, retentionMilliseconds: retention, isExplicit: true)
                )
            keyedOperations[key] = (operation, deduplication)
            oracle.keyed[operation.number] = deduplication.retentionMilliseconds
            (call.operation, call.key) = (operation, deduplication)
        }
        oracle.calls.append(call)
        return number
    }

    func newActor(of plan: Int, by driver: SimulatedDriver) -> CreateRequest {
        actorsMade += 1
        let id = ActorID(high: 4, low: UInt64(actorsMade))
        plansByActor[id] = plan
        return CreateRequest(
            id: id,
            typeName: "1A",
            typeDescription: "A",
            arguments: [],
            options: scenario.plans[plan].options,
            owner: .driver(driver.id),
            executable: "/bin/true",
            getsExisting: true
        )
    }

    /// Now and then something happens from outside.
    private func goWrong() {
        after(random.number(500...15_000)) { [self] in
            guard !isHealed else { return }
            if roll(.kill), let worker = anyone(of: workers) {
                bites(.killed)
                end(worker, .signal(number: 9))
            }
            if roll(.freeze), let worker = anyone(of: workers) { freeze(worker) }
            if roll(.endLife), let driver = anyone(of: drivers), let channel = anyone(of: driver.channels) {
                driver.endLife(of: channel)
            }
            if roll(.breakConnection), let link = anyone(of: links) { link.breaks() }
            if roll(.setClock) { setClock() }
            if roll(.driverDeath), let driver = anyone(of: drivers) {
                endDriver(driver)
                after(random.number(100...2_000_000)) { [self] in join() }
            }
            if roll(.supervisorCrash) { crashSupervisor() }
            if roll(.reboot) { reboot() }
            goWrong()
        }
    }

    private func anyone<Thing>(of things: [Thing]) -> Thing? {
        things.isEmpty ? nil : things[random.number(0...things.count - 1)]
    }

    private func freeze(_ worker: SimulatedWorker) {
        let length: UInt64 = random.oneIn(3) ? random.number(2_000_000...12_000_000) : random.number(1_000...300_000)
        worker.thawsAt = max(worker.thawsAt, now + length)
        bites(.frozen)
        note(.freezes, UInt64(worker.number), length, 0)
    }

    private func endDriver(_ driver: SimulatedDriver) {
        bites(.driverDeath)
        note(.driverDies, UInt64(driver.number), 0, 0)
        driver.die()
        drivers.removeAll { $0 === driver }
        requests.removeAll { $0.driver === driver }
        after(random.number(50...5_000)) { [self] in supervisor?.left(driver.id) }
    }

    /// Everything ends at once; who comes next finds what is on disk.
    private func reboot() {
        bites(.reboot)
        let count = max(1, drivers.count)
        for driver in drivers {
            driver.die()
            note(.driverDies, UInt64(driver.number), 0, 0)
        }
        drivers = []
        requests = []
        supervisorDies()
        for worker in workers { end(worker, .signal(number: 9)) }
        bootsAnew()
        after(random.number(1_000_000...3_000_000)) { [self] in
            for _ in 0..<count { join() }
        }
    }

    // MARK: The supervisor's process

    func crashSupervisor() {
        guard supervisor != nil else { return }
        bites(.supervisorCrash)
        supervisorDies()
        if !drivers.isEmpty { wakeSupervisor() }
    }

    private func supervisorDies() {
        guard let supervisor else { return }
        if supervisor.hasChanges { bites(.changesLost) }
        note(.supervisorDies, UInt64(supervisor.life), supervisor.hasChanges ? 1 : 0, 0)
        supervisor.die()
        self.supervisor = nil
        supervisorCrashes += 1
        oracle.supervisorLives += 1
        for worker in workers {
            worker.orphanedAt = now
            let orphaned = now
            worker.after(UInt64(Limits.gracePeriod / .microseconds(1))) { [self] worker in
                if worker.orphanedAt == orphaned { end(worker, .exit(code: 1)) }
            }
        }
        dropSockets()
    }

    /// A driver that notices starts the next one.
    func wakeSupervisor() {
        guard supervisor == nil, !isSupervisorComing else { return }
        isSupervisorComing = true
        after(random.number(500...30_000)) { [self] in
            isSupervisorComing = false
            guard supervisor == nil, !drivers.isEmpty else { return }
            let next = SimulatedSupervisor(oracle.supervisorLives, in: self)
            supervisor = next
            next.recover()
            for driver in drivers { next.joined(driver) }
            for request in requests { plan(request) }
            for worker in workers { comesBack(worker) }
        }
    }

    /// A worker that has lost its supervisor registers with the next one.
    private func comesBack(_ worker: SimulatedWorker) {
        worker.after(random.number(200...60_000)) { [self] worker in
            guard worker.orphanedAt != nil, !worker.isAbandoned else { return }
            supervisor?.takeOver(worker)
        }
    }

    func served(_ worker: SimulatedWorker) {
        after(random.number(20...300)) { [self] in supervisor?.served(worker) }
    }

    // MARK: Requests to it

    func request<Answer>(
        from driver: SimulatedDriver,
        _ ask: @escaping (SimulatedSupervisor, @escaping (Answer) -> Void) -> Void,
        answered: @escaping (Answer) -> Void
    ) {
        requestsMade += 1
        let number = requestsMade
        let pending = PendingRequest(driver: driver, number: number) { [self] supervisor in
            ask(supervisor) { [self] answer in
                after(random.number(20...300)) { [self] in
                    // What is answered for the second time, or by one that is gone, is not listened to.
                    guard driver.isAlive, supervisor.isUp, requests.contains(where: { $0.number == number }) else {
                        return
                    }
                    requests.removeAll { $0.number == number }
                    answered(answer)
                }
            }
        }
        requests.append(pending)
        plan(pending)
        wakeSupervisor()
    }

    private func plan(_ request: PendingRequest) {
        guard let supervisor else { return }
        after(random.number(20...300)) { [self] in
            guard supervisor.isUp, requests.contains(where: { $0.number == request.number }) else { return }
            request.ask(supervisor)
        }
    }

    func told(of record: ActorRecord) {
        toldOf.insert(record.id)
        if disk.records[record.id] == nil, oracle.ends[record.id] == nil {
            oracle.violated("a caller was told of actor \(record.id.low), which is not stored")
        }
    }
}
