internal import Synchronization

/// A few places for objects that are worth keeping; each object is held by one place or by the one who took it.
struct Shelf<Element: AnyObject>: ~Copyable, Sendable {
    // SAFETY: a place holds one reference, which passes to the one who exchanges it for nothing.
    private let first = Atomic<UInt>(0)
    private let second = Atomic<UInt>(0)
    private let third = Atomic<UInt>(0)
    private let fourth = Atomic<UInt>(0)

    init() {}

    /// An object that was kept, if there is one; the caller alone has it now.
    @inline(__always)
    func take() -> Element? {
        take(first) ?? take(second) ?? take(third) ?? take(fourth)
    }

    /// Keeps an object that nobody else uses, if there is a place for it.
    @inline(__always)
    func keep(_ element: Element) {
        let bits = UInt(bitPattern: Unmanaged.passRetained(element).toOpaque())
        if place(bits, first) || place(bits, second) || place(bits, third) || place(bits, fourth) { return }
        Unmanaged.passUnretained(element).release()
    }

    @inline(__always)
    private func take(_ place: borrowing Atomic<UInt>) -> Element? {
        guard place.load(ordering: .relaxed) != 0 else { return nil }
        guard let pointer = UnsafeRawPointer(bitPattern: place.exchange(0, ordering: .acquiring)) else { return nil }
        return Unmanaged<Element>.fromOpaque(pointer).takeRetainedValue()
    }

    @inline(__always)
    private func place(_ bits: UInt, _ place: borrowing Atomic<UInt>) -> Bool {
        guard place.load(ordering: .relaxed) == 0 else { return false }
        return place.compareExchange(expected: 0, desired: bits, ordering: .releasing).exchanged
    }
}
