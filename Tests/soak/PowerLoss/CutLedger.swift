/// What callers know, kept outside of the disk whose power is cut. Shared by the lane and its driver.
struct CutLedger: Sendable {
    /// One actor under load.
    struct Slot: Sendable {
        fileprivate let numbers: SharedNumbers
        fileprivate let start: Int

        /// Whether its creation was acknowledged.
        var exists: Bool {
            get { numbers[start] == 1 }
            nonmutating set { numbers[start] = newValue ? 1 : 0 }
        }
        /// The last change that was acknowledged.
        var acknowledged: Int {
            get { numbers[start + 1] }
            nonmutating set { numbers[start + 1] = newValue }
        }
        /// The version of a snapshot that is durable for certain.
        var snapshot: Int {
            get { numbers[start + 2] }
            nonmutating set { numbers[start + 2] = newValue }
        }
        /// How often it was created, which is part of its name.
        var generation: Int {
            get { numbers[start + 3] }
            nonmutating set { numbers[start + 3] = newValue }
        }
    }

    /// What the driver counts.
    enum Counter: Int {
        /// 1 when everything was looked at and the load has begun.
        case phase
        case acknowledged
        /// Changes of `.process` actors that a cut took, as it may.
        case lost
        /// Files that gave way to a snapshot, that were sound and the newest there was, and that had no snapshot yet.
        case fallenBack, kept, refused
        /// Cuts that came before the creation of a new actor was acknowledged.
        case unborn
    }

    /// Actors that stay, and one that is created anew in each round.
    static let stayingCount = 5
    static let slotCount = 6

    private let numbers: SharedNumbers

    init(path: String) throws { numbers = try SharedNumbers(path: path) }

    subscript(_ counter: Counter) -> Int {
        get { numbers[counter.rawValue] }
        nonmutating set { numbers[counter.rawValue] = newValue }
    }

    /// Adds to one, from any thread.
    func add(_ counter: Counter, _ number: Int = 1) { numbers.add(counter.rawValue, number) }

    func slot(_ number: Int) -> Slot { Slot(numbers: numbers, start: 32 + 8 * number) }

    /// Whether an actor's commits are flushed.
    static func isFlushed(_ number: Int) -> Bool { number < 3 || number == stayingCount }
}
