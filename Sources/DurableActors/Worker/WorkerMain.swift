internal import CBOR
internal import DurableCore
internal import DurableProcess
internal import DurableSupervisor
internal import DurableTransport
internal import Glibc
internal import Synchronization

/// The worker's role: a control loop on the main thread, which never runs user code, and a loop for the actor.
final class WorkerMain: Sendable {
    private struct State {
        var host: WorkerHost?
        var hosting: WorkerGreeting.Hosting?
        var identity: WorkerIdentity?
        var listener: Int32 = -1
        var page: WorkerPage?
        var assignment: Assignment?
        var orphanedSince: ContinuousClock.Instant?
    }

    private let control: EventLoop
    private let actorLoop: EventLoop
    private let state = Mutex(State())

    /// Never returns.
    static func run(control descriptor: Int32) -> Never {
        do {
            let worker = WorkerMain(
                control: try EventLoop(name: "control"),
                actorLoop: try EventLoop(name: "actor")
            )
            worker.serve(descriptor)
        } catch {
            fail("the worker cannot be set up: \(error)")
        }
    }

    private init(control: EventLoop, actorLoop: EventLoop) {
        self.control = control
        self.actorLoop = actorLoop
    }

    private func serve(_ descriptor: Int32) -> Never {
        actorLoop.start()
        // Of this thread, which lives as long as the process.
        OwnProcess.detachMemory()
        let link = SupervisorLink(
            loop: control,
            reconnection: SupervisorLink.Reconnection(
                lost: { [self] link in lost(link) },
                opened: { [self] connection in opened(connection) },
                received: { [self] connection, frame, descriptors in received(frame, descriptors, connection) }
            )
        )
        self.link.withLock { $0 = link }
        WorkerRehearsal.begin(on: control) { [self] in state.withLock { $0.assignment != nil } }
        link.connect { handler in
            Connection.adopt(
                fd: descriptor,
                on: control,
                hello: Hello(role: ConnectionRole.worker.rawValue, info: []),
                limits: FrameLimits(),
                handler: handler
            )
        }
        control.run()
        exit(WorkerExitCode.finished)
    }

    private let link = Mutex<SupervisorLink?>(nil)

    private func received(_ frame: Frame, _ descriptors: [OwnedDescriptor], _ connection: Connection) {
        guard frame.kind == FrameKind.command,
            let command = try? CBORDecoder().decode(WorkerCommand.self, from: frame.payload)
        else {
            Self.fail("the supervisor sent a command that this build does not know")
        }
        switch command {
        case .assign(let assignment): assigned(assignment, descriptors)
        case .member(let command):
            guard let host = state.withLock({ $0.host }) else { return }
            actorLoop.execute { host.perform(command) }
        case .inject(let fault):
            // No handlers of the end: other threads go on meanwhile.
            if fault.kind == .exit { _exit(0) }
            LiveFaults.current.arm(fault)
            guard let report = try? CBOREncoder().encode(WorkerReport.injected) else { return }
            _ = connection.send(Frame(kind: FrameKind.report, payload: report))
        case .adopted: state.withLock { $0.orphanedSince = nil }
        case .end: exit(WorkerExitCode.finished)
        }
    }

    private func assigned(_ assignment: Assignment, _ descriptors: [OwnedDescriptor]) {
        guard descriptors.count == 2, let link = link.withLock({ $0 }), let identity = assignment.record.worker else {
            Self.fail("an assignment came without its descriptors")
        }
        let listener = descriptors[0].take()
        let page: WorkerPage
        do {
            page = try WorkerPage(adopting: descriptors[1].take())
        } catch {
            Self.fail("the worker page cannot be mapped: \(error.message)")
        }
        // Before any code of the actor, and while no other thread does anything.
        for (name, value) in assignment.environment ?? [:] { setenv(name, value, 1) }
        let host = WorkerHost(assignment, listener: listener, page: page, loop: actorLoop, link: link)
        state.withLock { state in
            state.host = host
            state.assignment = assignment
            state.identity = identity
            state.listener = listener
            state.page = page
            state.hosting = WorkerGreeting.Hosting(
                shard: assignment.record.shard,
                actor: assignment.record.id,
                incarnation: assignment.incarnation
            )
        }
        // A start that blocks is silent from here on.
        page.beat()
        actorLoop.execute { host.start() }
        beat(on: page)
        beatControl(on: page)
    }

    /// Gives a sign of life of this process, whatever the actors' thread does.
    private func beatControl(on page: WorkerPage) {
        page.beatControl()
        control.schedule(after: Limits.heartbeatInterval) { [self] in beatControl(on: page) }
    }

    /// Has the actors' thread give a sign of life now and then. It comes when both threads turn.
    private func beat(on page: WorkerPage) {
        actorLoop.execute { [self] in
            page.beat()
            control.schedule(after: Limits.heartbeatInterval) { [self] in beat(on: page) }
        }
    }

    /// The supervisor is gone. A spare ends with it; a worker that serves waits for the next one.
    private func lost(_ link: SupervisorLink) {
        let (assignment, since) = state.withLock { state in
            let since = state.orphanedSince ?? .now
            state.orphanedSince = since
            return (state.assignment, since)
        }
        guard let assignment else { exit(WorkerExitCode.finished) }
        let grace = Duration.seconds(assignment.configuration.gracePeriodSeconds)
        guard ContinuousClock.now - since < grace else {
            Self.log("no supervisor adopted this worker within \(grace); it ends, its state is kept")
            abandon()
            return
        }
        control.schedule(after: .milliseconds(20)) { [self] in reconnect(link, assignment) }
    }

    /// Ends with everything flushed, unless a turn or the disk takes too long: then the state is kept as after a kill.
    private func abandon() {
        let host = state.withLock { $0.host }
        actorLoop.execute {
            host?.endCleanly()
            exit(WorkerExitCode.abandoned)
        }
        control.schedule(after: Limits.cleanEndTimeout) { exit(WorkerExitCode.abandoned) }
    }

    private func reconnect(_ link: SupervisorLink, _ assignment: Assignment) {
        guard let identity = state.withLock({ $0.identity }),
            let greeting = try? CBOREncoder().encode(WorkerGreeting(identity: identity))
        else { Self.fail("the worker cannot introduce itself") }
        link.connect { handler in
            Connection.connect(
                path: RuntimeLayout(directory: assignment.directory).socket,
                on: control,
                hello: Hello(role: ConnectionRole.worker.rawValue, info: greeting),
                limits: FrameLimits(),
                handler: handler
            )
        }
    }

    /// A new supervisor gets what the old one held: the listening socket and the page.
    private func opened(_ connection: Connection) {
        let (hosting, listener, page, host) = state.withLock { ($0.hosting, $0.listener, $0.page, $0.host) }
        guard let hosting, let page, let report = try? CBOREncoder().encode(WorkerReport.handover(hosting)) else {
            return
        }
        let frame = Frame(kind: FrameKind.report, payload: report)
        _ = connection.send(frame, descriptors: [listener, page.descriptor])
        if let host { actorLoop.execute { host.repeatRefusal() } }
    }

    static func log(_ message: String) {
        let line = "durable worker: \(message)\n"
        _ = line.withCString { write(2, $0, strlen($0)) }
    }

    static func fail(_ message: String) -> Never {
        log(message)
        exit(WorkerExitCode.broken)
    }
}
