import DurableCore
import DurableStore

/// A connection of one caller to one shard's socket. Each direction keeps its order; what has not arrived when it breaks
/// is lost.
final class SimulatedLink: Sendable {
    // SAFETY: a simulated history runs on one thread.
    nonisolated(unsafe) private unowned let world: World
    // SAFETY: as above.
    nonisolated(unsafe) private let channel: SimulatedChannel
    let number: Int
    /// The socket that it waits at: that of one binding, which a later one replaces.
    let socket: Int
    // SAFETY: as above.
    nonisolated(unsafe) private(set) weak var worker: SimulatedWorker?
    /// Whether nobody has accepted it yet.
    // SAFETY: as above.
    nonisolated(unsafe) private(set) var isWaiting = true
    // SAFETY: as above.
    nonisolated(unsafe) private var isOver = false
    /// Calls that have not arrived yet.
    // SAFETY: as above.
    nonisolated(unsafe) private var sent: [[UInt8]] = []
    // SAFETY: as above.
    nonisolated(unsafe) private var lastToWorker: UInt64 = 0
    // SAFETY: as above.
    nonisolated(unsafe) private var lastToCaller: UInt64 = 0
    // SAFETY: as above.
    nonisolated(unsafe) private var underWay = 0

    init(_ number: Int, of channel: SimulatedChannel, at socket: Int, in world: World) {
        self.number = number
        self.channel = channel
        self.socket = socket
        self.world = world
    }

    /// A worker accepts it and says who it is.
    func accepted(by worker: SimulatedWorker) {
        isWaiting = false
        self.worker = worker
        world.note(.accepts, UInt64(number), UInt64(worker.number), worker.fence.epoch)
        let greeting = HostGreeting(
            actor: worker.shard.actor,
            incarnation: worker.incarnation,
            epoch: worker.fence.epoch
        )
        toCaller { [self] in channel.opened(self, greeting.encoded()) }
    }

    /// The caller sends a call.
    func call(_ bytes: [UInt8]) {
        // It is broken, and the caller has not noticed yet.
        guard !isOver else { return }
        underWay += 1
        sent.append(bytes)
        lastToWorker = max(lastToWorker, world.now + world.latency())
        world.at(lastToWorker) { [self] in arriveNext() }
        // A break shows most while calls are under way.
        if world.random.oneIn(4), world.roll(.breakConnection) {
            world.after(world.random.number(0...60)) { [self] in breaks() }
        }
    }

    private func arriveNext() {
        guard !sent.isEmpty else { return }
        let bytes = sent.removeFirst()
        underWay -= 1
        worker?.after(0) { [self] worker in
            world.note(.callArrives, UInt64(number), UInt64(worker.number), 0)
            worker.received(bytes, from: self)
        }
    }

    /// The worker sends a reply.
    func reply(_ bytes: [UInt8], from worker: SimulatedWorker) {
        guard !isOver, self.worker === worker else { return }
        underWay += 1
        toCaller { [self] in
            underWay -= 1
            world.note(.replyArrives, UInt64(number), UInt64(worker.number), 0)
            channel.received(self, bytes)
        }
    }

    private func toCaller(_ body: @escaping () -> Void) {
        lastToCaller = max(lastToCaller, world.now + world.latency())
        world.at(lastToCaller) { [self] in
            guard !isOver else { return }
            body()
        }
    }

    /// The worker is gone, or nobody holds the socket any more: the caller sees that behind what was sent before.
    func peerEnded() {
        lastToCaller = max(lastToCaller, world.now + world.random.number(20...2_000))
        world.at(lastToCaller) { [self] in
            guard !isOver else { return }
            close()
            channel.closed(self)
        }
    }

    /// It breaks in the middle.
    func breaks() {
        guard !isOver else { return }
        world.note(.breaks, UInt64(number), UInt64(underWay), 0)
        world.bites(.connectionBroken)
        let isLost = world.random.oneIn(2)
        if underWay > 0, isLost { world.bites(.messageLost) }
        if isLost {
            sent = []
        } else if !sent.isEmpty, world.random.oneIn(2), world.oracle.keepsOrder, !world.scenario.hasShortLease {
            arriveLate()
        }
        close()
        world.after(world.random.number(10...500)) { [self] in channel.closed(self) }
    }

    /// The worker reads what was sent behind the first of a later connection: the kernel orders one alone. A first copy
    /// does not say when it was sent, so it must not be older than a lease. A call that found no room on the disk has no
    /// record, so a copy of it would run again.
    private func arriveLate() {
        let late = sent
        sent = []
        world.bites(.copiedLate)
        world.after(world.random.number(100...60_000)) { [self] in
            worker?.after(0) { [self] worker in
                for bytes in late where worker.isAlive { worker.received(bytes, from: self) }
            }
        }
    }

    /// The caller has seen a later owner, says so, and is not interested any more.
    func refuse(superseded epoch: Epoch) {
        close()
        world.after(world.latency()) { [self] in worker?.after(0) { $0.superseded(by: epoch) } }
    }

    /// The caller is not interested any more.
    func close() {
        // The kernel has what was sent, and the worker reads it before anything of a later connection.
        while !sent.isEmpty { arriveNext() }
        isOver = true
        isWaiting = false
        world.forget(self)
    }
}
