internal import Glibc

/// Something that happens once and that any number of threads can wait for.
final class OneShotEvent: Sendable {
    // SAFETY: the pointer never changes, and a POSIX semaphore may be used by any thread at any time.
    private nonisolated(unsafe) let semaphore: UnsafeMutablePointer<sem_t>

    init() {
        semaphore = .allocate(capacity: 1)
        sem_init(semaphore, 0, 0)
    }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    func signal() {
        sem_post(semaphore)
    }

    /// Each one that was let through lets the next one through.
    func wait() {
        while sem_wait(semaphore) != 0 {}
        sem_post(semaphore)
    }
}
