import DurableCore

/// A process that calls: the driver of `CallerChannel` and `SubmissionOrder`, as `ActorChannel` is.
final class SimulatedDriver {
    unowned let world: World
    let id: DriverID
    let number: Int
    let session: SessionID
    private(set) var isAlive = true
    /// A channel for each actor that it knows.
    private(set) var channels: [SimulatedChannel] = []
    /// The actors that its names stand for.
    private var found: [Int: SimulatedChannel] = [:]

    init(_ number: Int, in world: World) {
        self.world = world
        self.number = number
        id = DriverID(high: 1, low: UInt64(number))
        session = SessionID(high: 2, low: UInt64(number))
    }

    /// Plans something that this process does.
    func after(_ delay: UInt64, _ body: @escaping (SimulatedDriver) -> Void) {
        world.after(delay) { [self] in if isAlive { body(self) } }
    }

    func die() {
        isAlive = false
        for channel in channels { channel.drop() }
        (channels, found) = ([], [:])
    }

    /// Calls what has the name of a plan; creates it if nobody has.
    func calls(_ plan: Int) {
        if let channel = found[plan], !channel.isDead { return channel.submit(world.chooseCall(of: channel)) }
        ask(for: plan, as: world.newActor(of: plan, by: self))
    }

    /// Ends the present life of an actor.
    func endLife(of channel: SimulatedChannel) {
        world.request(from: self) { supervisor, answer in
            supervisor.endLife(of: channel.actor, answer)
        } answered: { (_: Bool) in
        }
    }

    /// The same request is made again until a supervisor answers.
    private func ask(for plan: Int, as request: CreateRequest) {
        world.request(from: self) { supervisor, answer in
            supervisor.create(request, answer: answer)
        } answered: { [self] (answer: ActorRecord?) in
            guard let record = answer else { return }
            world.note(.located, UInt64(number), record.shard, record.incarnation)
            let channel = channels.first { $0.actor == record.id } ?? SimulatedChannel(record, of: self)
            if !channels.contains(where: { $0 === channel }) { channels.append(channel) }
            found[plan] = channel
            world.told(of: record)
            if !channel.isDead { channel.submit(world.chooseCall(of: channel)) }
        }
    }
}

/// One process's calls to one actor.
final class SimulatedChannel {
    let driver: SimulatedDriver
    let actor: ActorID
    let shard: ShardNumber
    private var channel: CallerChannel
    private var order = SubmissionOrder<Int>()
    private var link: SimulatedLink?
    /// The calls by their sequence numbers.
    private var calls: [UInt64: Int] = [:]
    private var lastSubmitted = -1
    private var lastEpoch: Epoch = 0

    private var world: World { driver.world }
    var isDead: Bool { channel.isDead }
    var pendingCount: Int { channel.pendingCount }
    var description: String { "driver \(driver.number), shard \(shard): \(channel.state), \(pendingCount) calls" }

    init(_ record: ActorRecord, of driver: SimulatedDriver) {
        self.driver = driver
        actor = record.id
        shard = record.shard
        channel = CallerChannel(actor: record.id, session: driver.session)
    }

    /// Draws the call's place, and fills it a moment later.
    func submit(_ number: Int) {
        let ticket = order.draw()
        world.oracle.calls[number].floor = world.oracle.count(of: actor)
        let delay: UInt64 = world.random.oneIn(4) ? world.random.number(1...800) : 0
        let isReleased = world.random.oneIn(40)
        driver.after(delay) { [self] _ in
            if isReleased {
                world.oracle.settled(number, .neverMade)
                update { channel in
                    var actions: [CallerChannel.Action] = []
                    for call in order.release(ticket) { actions += send(call, &channel) }
                    return actions
                }
                return
            }
            update { channel in
                let (isNext, behind) = order.fill(ticket, with: number)
                guard isNext else { return [] }
                return send(number, &channel) + behind.flatMap { send($0, &channel) }
            }
        }
    }

    private func send(_ number: Int, _ channel: inout CallerChannel) -> [CallerChannel.Action] {
        let call = world.oracle.calls[number]
        var identity = CallerChannel.Identity()
        identity.deduplication = call.key
        let (sequence, actions) = channel.submit(
            method: "m",
            genericSubstitutions: [],
            arguments: [call.operation.bytes],
            retries: call.retries,
            identity: identity
        )
        if number < lastSubmitted { world.oracle.violated("call \(number) overtook call \(lastSubmitted)") }
        lastSubmitted = number
        calls[sequence] = number
        world.oracle.calls[number].id = CallID(session: driver.session, sequence: sequence)
        world.note(.submits, UInt64(driver.number), sequence, call.operation.number)
        if world.roll(.cancel) {
            driver.after(world.random.number(0...3_000)) { [self] _ in
                world.note(.cancels, UInt64(driver.number), sequence, 0)
                if calls[sequence] != nil { world.oracle.calls[number].cancelledIn = lastEpoch }
                update { $0.cancel(sequence, .single) }
            }
        }
        return actions
    }

    private func update(_ decide: (inout CallerChannel) -> [CallerChannel.Action]) {
        channel.now = max(1, world.bootMilliseconds)
        for action in decide(&channel) { perform(action) }
    }

    private func perform(_ action: CallerChannel.Action) {
        switch action {
        case .connect: connect()
        case .connectLater:
            driver.after(2_000) { [self] _ in if !channel.isDead { connect() } }
        case .disconnect:
            link?.close()
            link = nil
        case .refuse(let epoch):
            link?.refuse(superseded: epoch)
            link = nil
        case .send(let frame):
            world.note(.sends, UInt64(driver.number), frame.id.sequence, frame.firstIncomplete)
            link?.call(frame.encoded())
        case .askSupervisor(let lost): ask(lost)
        case .warn, .warnHeldUp: break
        case .fail(let sequence, let error): settle(sequence, .failed(error))
        case .resolve(let sequence, let answer): settle(sequence, .answered(answer.outcome))
        }
    }

    private func settle(_ sequence: UInt64, _ outcome: Outcome) {
        guard let number = calls.removeValue(forKey: sequence) else {
            return world.oracle.violated(
                "call \(sequence) of driver \(driver.number) has two outcomes, or was never made"
            )
        }
        world.note(.settles, UInt64(driver.number), sequence, outcome.number)
        world.oracle.settled(number, outcome)
    }

    private func connect() {
        guard link == nil else { return }
        link = world.connect(self)
        world.note(.connects, UInt64(driver.number), shard, UInt64(link?.number ?? 0))
        guard link == nil else { return }
        // Nobody listens there.
        driver.after(world.random.number(20...100)) { [self] _ in
            guard link == nil else { return }
            world.note(.refusesConnection, UInt64(driver.number), shard, 0)
            update { $0.closed() }
        }
    }

    private func ask(_ lost: Incarnation?) {
        world.note(.asks, UInt64(driver.number), shard, lost ?? 0)
        world.request(from: driver) { [self] supervisor, answer in
            supervisor.locate(actor, lost: lost, answer)
        } answered: { [self] (status: ActorStatus) in
            world.note(.verdict, UInt64(driver.number), shard, status.number)
            update { $0.verdict(status) }
        }
    }

    // MARK: What comes from its connection

    func opened(_ link: SimulatedLink, _ bytes: [UInt8]) {
        guard driver.isAlive, self.link === link else { return }
        guard let greeting = try? HostGreeting(decoding: bytes), greeting.actor == actor else {
            return world.oracle.violated("a greeting cannot be read")
        }
        world.note(.opened, UInt64(driver.number), UInt64(link.number), greeting.epoch)
        update { $0.opened(incarnation: greeting.incarnation, epoch: greeting.epoch) }
        if self.link !== link, !channel.isDead { world.bites(.zombieGreeting) }
        if self.link === link { heard(greeting.epoch) }
    }

    func received(_ link: SimulatedLink, _ bytes: [UInt8]) {
        guard driver.isAlive, self.link === link else { return }
        guard let reply = try? ReplyFrame(decoding: bytes) else {
            return world.oracle.violated("a reply cannot be read")
        }
        let pending = channel.pendingCount
        update { $0.replied(reply) }
        if channel.pendingCount < pending { heard(reply.epoch) }
    }

    func closed(_ link: SimulatedLink) {
        guard driver.isAlive, self.link === link else { return }
        world.note(.closed, UInt64(driver.number), UInt64(link.number), 0)
        self.link = nil
        update { $0.closed() }
    }

    /// The process is gone.
    func drop() {
        link?.close()
        link = nil
    }

    private func heard(_ epoch: Epoch) {
        if epoch < lastEpoch { world.oracle.violated("epoch \(epoch) was listened to behind epoch \(lastEpoch)") }
        lastEpoch = max(lastEpoch, epoch)
    }
}

extension ActorStatus {
    var number: UInt64 {
        switch self {
        case .alive(_, let incarnation): 100 + incarnation
        case .restarting: 1
        case .dead: 2
        case .unknown: 3
        }
    }
}
