internal import CDurable
internal import Glibc
internal import Synchronization

/// A file descriptor with one owner: closed when the last reference goes, unless somebody took it.
package final class OwnedDescriptor: Sendable {
    private let descriptor: Atomic<Int32>

    /// Becomes the owner of an open descriptor.
    package init(_ descriptor: Int32) {
        self.descriptor = Atomic(descriptor)
    }

    deinit {
        let last = descriptor.load(ordering: .relaxed)
        if last >= 0 { _ = Glibc.close(last) }
    }

    /// Returns the descriptor and makes the caller its owner; -1 if somebody took it before.
    package func take() -> Int32 {
        descriptor.exchange(-1, ordering: .acquiringAndReleasing)
    }

    /// Returns the descriptor for a use that ends before this object does; -1 if it was taken.
    package var value: Int32 { descriptor.load(ordering: .acquiring) }

    /// Duplicates descriptors of a caller, all or none; nil if one is not open or the process has none free.
    static func duplicate(_ descriptors: [Int32]) -> [Int32]? {
        var copies: [Int32] = []
        for descriptor in descriptors {
            let copy = durable_io_duplicate(descriptor)
            guard copy >= 0 else {
                for made in copies { _ = Glibc.close(made) }
                return nil
            }
            copies.append(copy)
        }
        return copies
    }
}
