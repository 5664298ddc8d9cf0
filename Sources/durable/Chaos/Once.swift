internal import Synchronization

/// A value that is there from some moment on.
final class Once<Value: Sendable>: Sendable {
    private let state = Mutex<Value?>(nil)

    func set(_ value: Value) { state.withLock { $0 = value } }

    /// The value. To be asked for when it has been set.
    var value: Value {
        guard let value = state.withLock({ $0 }) else { preconditionFailure("it was not set") }
        return value
    }
}
