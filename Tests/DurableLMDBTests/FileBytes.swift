import Foundation
import Synchronization

/// The data file of an environment as it is on disk, to find out whether anything touched it.
struct FileBytes: Equatable {
    let bytes: Data
    let mode: Int?

    init(_ directory: String) throws {
        let path = directory + "/data.mdb"
        bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }
}

/// Tells other tasks that something is over.
final class Flag: Sendable {
    private let raised = Atomic(false)

    var isRaised: Bool { raised.load(ordering: .acquiring) }

    func raise() { raised.store(true, ordering: .releasing) }
}
