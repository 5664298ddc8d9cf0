internal import DurableCore
internal import DurableSupervisor
internal import DurableTransport
internal import Synchronization

/// Sees to it that a driver's directory has a supervisor: starts the first one, and the next when one is lost.
final class SupervisorKeeper: Sendable {
    private struct State {
        var first: CheckedContinuation<Void, any Error>?
        var attempts = 0
        var lastFailure: ActorError?
        var since: ContinuousClock.Instant?
    }

    private let configuration: SupervisorConfiguration
    private let layout: RuntimeLayout
    private let loop: EventLoop
    private let greeting: [UInt8]
    private let state = Mutex(State())

    init(_ configuration: SupervisorConfiguration, loop: EventLoop, greeting: [UInt8]) {
        self.configuration = configuration
        layout = RuntimeLayout(directory: configuration.directory)
        self.loop = loop
        self.greeting = greeting
    }

    /// What the link does when it loses the supervisor.
    var reconnection: SupervisorLink.Reconnection {
        SupervisorLink.Reconnection(
            lost: { [self] link in retry(link) },
            opened: { [self] _ in opened() },
            received: { connection, _, _ in
                connection.fail(TransportError(.protocolViolation, "the supervisor sent a driver a frame for workers"))
            }
        )
    }

    /// Connects to the directory's supervisor, or starts it. Returns when the connection is open.
    func reachFirst(_ link: SupervisorLink) async throws {
        try await withCheckedThrowingContinuation { continuation in
            state.withLock { $0.first = continuation }
            connect(link)
        }
    }

    private func connect(_ link: SupervisorLink) {
        link.connect { handler in
            Connection.connect(
                path: layout.socket,
                on: loop,
                hello: Hello(role: ConnectionRole.driver.rawValue, info: greeting),
                limits: FrameLimits(),
                handler: handler
            )
        }
    }

    private func opened() {
        let first = state.withLock { state in
            state.attempts = 0
            state.since = nil
            return state.first.take()
        }
        first?.resume()
    }

    /// The supervisor is gone, or was never there.
    private func retry(_ link: SupervisorLink) {
        let isHopeless = state.withLock { state in
            let since = state.since ?? .now
            state.since = since
            return state.attempts > Limits.supervisorStartsMax
                || ContinuousClock.now - since > Limits.supervisorStartTimeout
        }
        guard !isHopeless else {
            let last = state.withLock { $0.lastFailure }
            let message = "no supervisor of \(layout.directory) can be reached"
            giveUp(link, ActorError(.supervisorUnreachable, message, cause: last?.description))
            return
        }
        // Ends with the attempt; the keeper lives as long as the link that it serves.
        Task(executorPreference: loop) { [self] in
            do {
                let configuration = configuration
                let outcome = try await onOwnThread { () throws(ActorError) in
                    try SupervisorLauncher.launch(configuration)
                }
                switch outcome {
                case .started:
                    state.withLock { $0.attempts += 1 }
                    connect(link)
                case .alreadyRunning:
                    // It holds the lock and may not listen yet, or is about to end: look again in a moment.
                    loop.schedule(after: .milliseconds(5)) { [self] in connect(link) }
                }
            } catch {
                let known = error as? ActorError ?? ActorError(.internalError, "\(error)")
                // A candidate that was killed before it served is replaced like one that was killed after.
                guard known.code == .supervisorUnreachable else { return giveUp(link, known) }
                state.withLock { state in
                    state.attempts += 1
                    state.lastFailure = known
                }
                loop.schedule(after: .milliseconds(5)) { [self] in retry(link) }
            }
        }
    }

    private func giveUp(_ link: SupervisorLink, _ error: ActorError) {
        link.stop(error)
        state.withLock { $0.first.take() }?.resume(throwing: error)
    }
}
