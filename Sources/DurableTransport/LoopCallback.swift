/// A closure behind a name: a bare one is wrapped once more each time that it passes through a lock's generic code, so
/// that every look at it makes the next one slower.
struct LoopCallback: Sendable {
    let run: @Sendable () -> Void
}
