internal import CBOR
internal import DurableCore
internal import DurableProcess
internal import DurableTransport
internal import Glibc

/// Spawns workers and keeps spares warm: initialised processes that wait for an assignment, per executable.
///
/// Used on the supervisor's loop only.
final class WorkerPool {
    /// What the pool's owner does with a worker's news.
    struct Handlers {
        var ready: (WorkerProcess) -> Void
        var report: (WorkerProcess, WorkerReport, [OwnedDescriptor]) -> Void
        var request: (Connection, Frame) -> Void
        var exited: (WorkerProcess) -> Void
    }

    private let loop: EventLoop
    private let layout: RuntimeLayout
    private let sparesMax: Int
    private let faults: FaultInjector
    private var images: [String: ExecutableImage] = [:]
    private(set) var workers: [Int32: WorkerProcess] = [:]
    private var nextSerial: UInt64
    var handlers: Handlers?

    init(loop: EventLoop, layout: RuntimeLayout, spares: Int, nextSerial: UInt64, faults: FaultInjector) {
        self.loop = loop
        self.layout = layout
        self.nextSerial = nextSerial
        sparesMax = spares
        self.faults = faults
    }

    /// A spare of this executable that is ready now.
    func takeSpare(of executable: String) -> WorkerProcess? {
        workers.values.filter { $0.phase == .spare && $0.executable == executable }
            .min { $0.identity.serial < $1.identity.serial }
    }

    /// Spawns until there are enough workers ready or on their way for the waiting shards and the spares.
    func refill(_ executable: String, waiting: Int) throws(ProcessError) {
        let image = try image(of: executable)
        var idle = workers.values.count { $0.executable == executable && $0.isIdle }
        while idle < waiting + sparesMax {
            try spawn(image, executable)
            idle += 1
        }
    }

    /// Watches a worker that a former supervisor left behind.
    func adopt(_ worker: WorkerProcess) throws(TransportError) {
        try watch(worker)
    }

    /// Keeps every worker's stderr file within its bound.
    func trimStderr() {
        for worker in workers.values {
            // A file that cannot be trimmed now is tried again in a second.
            try? worker.stderr?.trim(bytesMax: Limits.stderrBytesMax)
        }
    }

    private func image(of executable: String) throws(ProcessError) -> ExecutableImage {
        if let known = images[executable], known.isStillOnDisk { return known }
        let image = try ExecutableImage.open(path: executable)
        // Spares of a binary that was replaced on disk would run the old code.
        if images.updateValue(image, forKey: executable) != nil {
            for worker in workers.values where worker.executable == executable && worker.isIdle { worker.kill() }
        }
        return image
    }

    private func spawn(_ image: ExecutableImage, _ executable: String) throws(ProcessError) {
        let serial = nextSerial
        nextSerial += 1
        var pair = try SocketPair()
        let stderr = try StderrFile(path: layout.stderrFile(serial))
        let page = try WorkerPage()
        var configuration = SpawnConfiguration(image: image)
        configuration.role = .worker
        configuration.controlSocket = pair.remote
        configuration.standardError = stderr.descriptor
        faults.passes(.supervisorBeforeSpawn, incarnation: 0)
        let handle = try ProcessHandle.spawn(configuration)
        faults.passes(.supervisorAfterSpawn, incarnation: 0)
        let identity = WorkerIdentity(pid: handle.pid, startTime: handle.startTime, serial: serial)
        let worker = WorkerProcess(
            handle: handle,
            identity: identity,
            executable: executable,
            stderr: stderr,
            page: page
        )
        do {
            try watch(worker)
        } catch {
            handle.kill()
            throw ProcessError(
                code: .systemCall,
                message: "the worker cannot be watched: \(error.message)",
                errno: error.errno
            )
        }
        let control = pair.takeLocal()
        worker.connection = Connection.adopt(
            fd: control,
            on: loop,
            hello: Hello(role: ConnectionRole.supervisor.rawValue, info: []),
            limits: FrameLimits(),
            handler: controlHandler(for: worker)
        )
    }

    private func watch(_ worker: WorkerProcess) throws(TransportError) {
        workers[worker.identity.pid] = worker
        let box = LoopConfined(value: (self, worker))
        worker.watch = try loop.watch(worker.handle.descriptor) {
            let (pool, worker) = box.value
            pool.exited(worker)
        }
    }

    /// The process is gone, by its pidfd or by a look at it.
    func exited(_ worker: WorkerProcess) {
        guard workers[worker.identity.pid] === worker, !worker.handle.isAlive else { return }
        workers[worker.identity.pid] = nil
        worker.watch?.cancel()
        worker.connection?.close()
        handlers?.exited(worker)
    }

    /// What happens on a worker's control connection.
    func controlHandler(for worker: WorkerProcess) -> ConnectionHandler {
        let box = LoopConfined(value: (self, worker))
        return ConnectionHandler(
            opened: { _ in
                let (pool, worker) = box.value
                guard worker.phase == .starting else { return }
                worker.phase = .spare
                pool.handlers?.ready(worker)
            },
            received: { connection, frame, descriptors in
                let (pool, worker) = box.value
                pool.received(frame, descriptors, from: worker, on: connection)
            },
            closed: { _, _ in
                // A worker that closes its control connection has ended or is about to; its pidfd tells.
            }
        )
    }

    private func received(
        _ frame: Frame,
        _ descriptors: [OwnedDescriptor],
        from worker: WorkerProcess,
        on connection: Connection
    ) {
        switch frame.kind {
        case FrameKind.report:
            guard let report = try? CBORDecoder().decode(WorkerReport.self, from: frame.payload) else {
                // A worker that does not speak our language is of no use: its end is an ordinary death.
                worker.kill()
                return
            }
            handlers?.report(worker, report, descriptors)
        case FrameKind.request:
            handlers?.request(connection, frame)
        default:
            worker.kill()
        }
    }
}

extension WorkerProcess {
    var isIdle: Bool { phase == .starting || phase == .spare }
}

/// A value that only the loop's thread touches.
// SAFETY: made on the loop, captured by callbacks that the loop alone runs.
struct LoopConfined<Value>: @unchecked Sendable {
    let value: Value
}
