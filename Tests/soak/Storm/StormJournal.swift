import DurableActors
import Glibc
import Synchronization

/// What a driver that may be killed has asked for and has been answered: a file that it maps, so that no death takes back
/// what is in it.
final class StormJournal: Sendable {
    /// The callers of one driver.
    static let clients = 2

    /// What is counted for each caller and actor.
    enum Column: Int { case notesMade, notesAnswered, transfersMade, transfersAnswered, amount }

    private static let columns = 5
    private static let head = 4
    private static let cellsCount = head + clients * StormCast.names.count * columns
    private static let bytes = cellsCount * MemoryLayout<Int>.stride

    // SAFETY: the pointer never changes, the mapping lives until deinit, and all access is by atomics.
    private nonisolated(unsafe) let cells: UnsafeMutablePointer<Atomic<Int>>

    init(_ path: String, isNew: Bool) throws {
        let file = open(path, O_RDWR | O_CLOEXEC | (isNew ? O_CREAT | O_EXCL : 0), 0o600)
        guard file >= 0 else { throw ActorError(.directoryUnusable, "journal \(path): errno \(errno)") }
        defer { close(file) }
        guard ftruncate(file, off_t(Self.bytes)) == 0,
            let address = mmap(nil, Self.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0), address != MAP_FAILED
        else { throw ActorError(.directoryUnusable, "journal \(path): errno \(errno)") }
        cells = address.bindMemory(to: Atomic<Int>.self, capacity: Self.cellsCount)
    }

    deinit { munmap(cells, Self.bytes) }

    /// What the driver is told: 0 to work, 1 to rest, 2 to stop.
    var wish: Int {
        get { cells[0].load(ordering: .sequentiallyConsistent) }
        set { cells[0].store(newValue, ordering: .sequentiallyConsistent) }
    }

    /// Promises that the driver has seen broken.
    var violations: Int {
        get { cells[1].load(ordering: .sequentiallyConsistent) }
        set { cells[1].store(newValue, ordering: .sequentiallyConsistent) }
    }

    /// Calls made that change nothing, and those answered, are in the totals only.
    var issued: Int { cells[2].load(ordering: .sequentiallyConsistent) }
    var acknowledged: Int { cells[3].load(ordering: .sequentiallyConsistent) }

    func setTotals(_ issued: Int, _ acknowledged: Int) {
        cells[2].store(issued, ordering: .sequentiallyConsistent)
        cells[3].store(acknowledged, ordering: .sequentiallyConsistent)
    }

    subscript(client: Int, actor: Int, column: Column) -> Int {
        get { cells[place(client, actor, column)].load(ordering: .sequentiallyConsistent) }
        set { cells[place(client, actor, column)].store(newValue, ordering: .sequentiallyConsistent) }
    }

    func increment(_ client: Int, _ actor: Int, _ column: Column) {
        cells[place(client, actor, column)].add(1, ordering: .sequentiallyConsistent)
    }

    private func place(_ client: Int, _ actor: Int, _ column: Column) -> Int {
        Self.head + (client * StormCast.names.count + actor) * Self.columns + column.rawValue
    }
}
