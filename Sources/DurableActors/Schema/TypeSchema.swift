internal import CBOR
internal import DurableCore
internal import DurableStore

/// What an actor's type says of its stored layout.
struct TypeSchema {
    /// The type's name for people.
    let name: String
    let version: UInt32
    let oldestReader: UInt32
    let grace: Duration?
    private let type: (any DurableActor.Type)?

    /// For state without an actor around it.
    static let none = TypeSchema()

    private init() {
        name = "?"
        version = 1
        oldestReader = 1
        grace = nil
        type = nil
    }

    /// - Throws: `StoreError` that quarantines the actor, when its numbers make no sense.
    init(_ type: any DurableActor.Type) throws(StoreError) {
        name = String(describing: type)
        let numbers = [type.schemaVersion, type.oldestReaderVersion]
        guard let version = UInt32(exactly: numbers[0]), let oldest = UInt32(exactly: numbers[1]),
            oldest >= 1, version >= oldest
        else {
            let message = "\(name) has schemaVersion \(numbers[0]) and oldestReaderVersion \(numbers[1]); allowed are 1"
            throw StoreError(.unreadable, message + " and more, and no oldestReaderVersion above schemaVersion")
        }
        self.version = version
        oldestReader = oldest
        grace = type.unknownPropertyGrace
        self.type = type
    }

    /// The type's name with its module.
    var qualifiedName: String { type.map { LayoutDescription.name(of: $0) } ?? name }

    /// What the shard says of the actor once this build has served it.
    func served(_ stored: StoredActor) -> StoredActor {
        var served = stored
        if version >= stored.schemaVersion {
            served.schemaVersion = version
            served.oldestReader = oldestReader == 1 ? nil : oldestReader
        }
        return served
    }

    /// - Throws: `StoreError` that quarantines the actor, when newer code has left state that this one must not touch.
    func check(_ stored: StoredActor, _ actor: ActorID) throws(StoreError) {
        guard let oldest = stored.oldestReader, oldest > version else { return }
        let message =
            "the state of \(name) was served by code of schema \(stored.schemaVersion), which lets no code below schema "
            + "\(oldest) go on with it; this build has schema \(version); actor \(actor) keeps its bytes; start the newer "
        throw StoreError(.unreadable, message + "build again")
    }
}

/// How what is stored is shown in messages.
enum StoredForm {
    static func of(_ field: StoredField) -> String {
        switch field.property {
        case .value(let bytes): of(bytes)
        case .collection(let header): "a \(header.kind) of \(header.count) entries"
        }
    }

    static func of(_ bytes: [UInt8]) -> String {
        guard let value = try? CBORDecoder().decode(CBORValue.self, from: bytes),
            let json = try? CBORDiagnostic.json(bytes, pretty: false)
        else { return "\(bytes.count) bytes that are no CBOR" }
        let shown = json.count <= 160 ? json : "\(json.prefix(157))…"
        return kind(of: value).map { "\($0) \(shown)" } ?? shown
    }

    /// What an error says, without the clutter of Swift's own ones.
    static func reason(_ error: any Error) -> String {
        let context: DecodingError.Context
        switch error as? DecodingError {
        case .typeMismatch(_, let found), .valueNotFound(_, let found), .dataCorrupted(let found): context = found
        case .keyNotFound(let key, let found):
            let path = (found.codingPath + [key]).map(\.stringValue).joined(separator: ".")
            return "there is no \(path)"
        case nil: return "\(error)"
        @unknown default: return "\(error)"
        }
        let path = context.codingPath.map(\.stringValue).joined(separator: ".")
        return path.isEmpty ? context.debugDescription : "\(path): \(context.debugDescription)"
    }

    private static func kind(of value: CBORValue) -> String? {
        switch value {
        case .unsigned, .negative: "integer"
        case .bytes: "bytes"
        case .text: "text"
        case .array: "array"
        case .map: "map"
        case .tagged: "tagged"
        case .bool: "bool"
        case .float: "float"
        case .null, .undefined: nil
        }
    }
}
