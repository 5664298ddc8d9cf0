/// Calls back when so many steps were taken.
final class Countdown {
    private var rest: Int
    private let done: () -> Void

    init(_ count: Int, _ done: @escaping () -> Void) {
        rest = count
        self.done = done
        if count == 0 { done() }
    }

    func step() {
        rest -= 1
        if rest == 0 { done() }
    }
}
