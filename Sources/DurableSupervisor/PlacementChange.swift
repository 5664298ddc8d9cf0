internal import CBOR
internal import DurableCore

/// Something of the placement that is to be stored: a row in the registry's `meta`, or its end.
enum PlacementChange: Sendable, Hashable {
    /// A node came, or is another now.
    case node(NodeDeclaration)
    /// A node went.
    case nodeGone(String)
    /// A placement group came, or is another now.
    case group(PlacementGroupRecord)
    /// A placement group went.
    case groupGone(PlacementGroupID)

    static let nodePrefix = Array("node ".utf8)
    static let groupPrefix = Array("placement group ".utf8)

    /// The row's key.
    var key: [UInt8] {
        switch self {
        case .node(let node): Self.nodePrefix + Array(node.name.utf8)
        case .nodeGone(let name): Self.nodePrefix + Array(name.utf8)
        case .group(let record): Self.groupPrefix + record.id.bytes
        case .groupGone(let id): Self.groupPrefix + id.bytes
        }
    }

    /// The row's content; `nil` when it goes.
    var row: [UInt8]? {
        get throws {
            switch self {
            case .node(let node): try CBOREncoder().encode(node)
            case .group(let record): try CBOREncoder().encode(record)
            case .nodeGone, .groupGone: nil
            }
        }
    }
}
