package import DurableCore
internal import Glibc
internal import Synchronization

/// Counts passages through fault points, of all processes of a runtime together, and remembers which of them were
/// struck. It is a file that the processes map, so that what is in it outlives each of them.
package final class FaultTally: Sendable {
    /// A process that a fault has struck.
    package struct Mark: Sendable, Hashable {
        /// Its number.
        package var pid: Int32
        /// When it started, as the kernel counts.
        package var startTime: UInt64

        package init(pid: Int32, startTime: UInt64) {
            self.pid = pid
            self.startTime = startTime
        }
    }

    private static let pointsMax = 256
    private static let marksMax = 1024
    private static let cellsCount = pointsMax + 1 + 2 * marksMax
    private static let bytes = cellsCount * MemoryLayout<UInt64>.stride
    private static let points = FaultPoint.allCases

    // SAFETY: the pointer never changes, the mapping lives until deinit, and all access is by atomics.
    private nonisolated(unsafe) let cells: UnsafeMutablePointer<Atomic<UInt64>>

    /// Makes the file, with all counters at zero.
    package convenience init(creating path: String) throws(ProcessError) { try self.init(path, O_CREAT | O_EXCL) }

    /// Maps a file that another process has made.
    package convenience init(opening path: String) throws(ProcessError) { try self.init(path, 0) }

    private init(_ path: String, _ flags: Int32) throws(ProcessError) {
        let file = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0o600)
        guard file >= 0 else { throw ProcessError(attempt: "open the tally \(path)", errno: errno) }
        defer { close(file) }
        // A file that is shorter than its mapping would end the process that looks behind it.
        guard ftruncate(file, off_t(Self.bytes)) == 0,
            let address = mmap(nil, Self.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0), address != MAP_FAILED
        else { throw ProcessError(attempt: "map the tally \(path)", errno: errno) }
        cells = address.bindMemory(to: Atomic<UInt64>.self, capacity: Self.cellsCount)
    }

    deinit { munmap(cells, Self.bytes) }

    /// Counts a passage, and says which one it is, from 1.
    package func pass(_ point: FaultPoint) -> Int {
        guard let index = Self.points.firstIndex(of: point) else { return 0 }
        return Int(clamping: cells[index].add(1, ordering: .sequentiallyConsistent).newValue)
    }

    /// How often each point was passed that was passed at all.
    package var passages: [FaultPoint: Int] {
        var passages: [FaultPoint: Int] = [:]
        for (index, point) in Self.points.enumerated() {
            let count = cells[index].load(ordering: .sequentiallyConsistent)
            if count > 0 { passages[point] = Int(clamping: count) }
        }
        return passages
    }

    /// Notes that this process is struck now. Beyond a bound it is not noted.
    package func markThisProcess() {
        let pid = getpid()
        guard let status = ProcessStatus(pid: pid) else { return }
        let number = Int(clamping: cells[Self.pointsMax].add(1, ordering: .sequentiallyConsistent).oldValue)
        guard number < Self.marksMax else { return }
        let place = Self.pointsMax + 1 + 2 * number
        cells[place + 1].store(status.startTime, ordering: .sequentiallyConsistent)
        cells[place].store(UInt64(pid), ordering: .sequentiallyConsistent)
    }

    /// The processes that were struck, in order.
    package var marks: [Mark] {
        let count = Int(clamping: cells[Self.pointsMax].load(ordering: .sequentiallyConsistent))
        return (0..<min(count, Self.marksMax)).compactMap { number in
            let place = Self.pointsMax + 1 + 2 * number
            let pid = Int32(truncatingIfNeeded: cells[place].load(ordering: .sequentiallyConsistent))
            // One that was killed by somebody else between the two stores.
            guard pid > 0 else { return nil }
            return Mark(pid: pid, startTime: cells[place + 1].load(ordering: .sequentiallyConsistent))
        }
    }
}
