internal import DurableCore
internal import Glibc

/// Runs blocking work on a thread of its own, so that no thread of the shared pool waits.
func onOwnThread<Result: Sendable>(
    _ work: @escaping @Sendable () throws(ActorError) -> Result
) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        let box = ThreadWork {
            do throws(ActorError) {
                continuation.resume(returning: try work())
            } catch {
                continuation.resume(throwing: error)
            }
        }
        var thread = pthread_t()
        let status = pthread_create(&thread, nil, ThreadWork.main, Unmanaged.passRetained(box).toOpaque())
        if status == 0 {
            pthread_detach(thread)
        } else {
            Unmanaged.passUnretained(box).release()
            continuation.resume(throwing: ActorError(.limitExceeded, "no thread can be started"))
        }
    }
}

private final class ThreadWork {
    private let work: () -> Void

    init(_ work: @escaping () -> Void) { self.work = work }

    static let main: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { pointer in
        guard let pointer else { return nil }
        Unmanaged<ThreadWork>.fromOpaque(pointer).takeRetainedValue().work()
        return nil
    }
}
