internal import Distributed
internal import DurableCore
internal import DurableStore
@_spi(Reflection) internal import Swift

/// The types of an actor's properties and of the parts of their values, by path.
///
/// Made from the types alone: no code of theirs runs, because a decoder that is fed made-up values may trap, and this
/// happens in workers. So it lists what is declared: names of stored properties, not those of `CodingKeys`, and enums
/// by their names and raw types, not by their cases.
struct LayoutDescription {
    /// Nested types deeper than this are named only.
    private static let depthMax = 12
    /// Descriptions end here; a type that is larger is described in part, always the same one.
    private static let linesMax = 2_000

    private(set) var lines: [String: String] = [:]

    /// Adds the line of a collection; its entries' types follow by themselves.
    mutating func add(_ kind: CollectionHeader.Kind, at path: String) {
        lines[path] =
            switch kind {
            case .dictionary: "CheckpointedDictionary"
            case .set: "CheckpointedSet"
            case .array: "CheckpointedArray"
            }
    }

    /// Adds the lines of a type.
    mutating func add(_ type: Any.Type, at path: String) { add(type, at: path, "", []) }

    private mutating func add(_ type: Any.Type, at path: String, _ suffix: String, _ outer: [ObjectIdentifier]) {
        guard lines.count < Self.linesMax else { return }
        if let optional = type as? any LayoutOptional.Type {
            return add(optional.wrapped, at: path, suffix + "?", outer)
        }
        if let container = type as? any LayoutContainer.Type {
            lines[path] = container.word + suffix
            for (role, part) in container.parts where outer.count < Self.depthMax {
                add(part, at: "\(path)[\(role)]", "", outer + [ObjectIdentifier(type)])
            }
            return
        }
        if let raw = type as? any RawRepresentable.Type {
            lines[path] = "\(Self.name(of: type)) as \(Self.rawName(raw))\(suffix)"
            return
        }
        let name = Self.name(of: type)
        guard !outer.contains(ObjectIdentifier(type)), outer.count < Self.depthMax else {
            lines[path] = name + suffix
            return
        }
        // A handle is stored as an identity, whatever its actor has.
        let isNamedOnly = Self.isOfLibrary(type) || type is any DistributedActor.Type
        let fields = isNamedOnly ? [] : Self.fields(of: type)
        guard !fields.isEmpty else {
            lines[path] = name + suffix
            return
        }
        lines[path] = "struct" + suffix
        for (name, part) in fields { add(part, at: "\(path).\(name)", "", outer + [ObjectIdentifier(type)]) }
    }

    /// A type's name with its module, the same in each process; types of Swift and Foundation without a module.
    static func name(of type: Any.Type) -> String {
        guard !isOfLibrary(type) else { return String(describing: type) }
        // A private type's name holds an address.
        return _typeName(type, qualified: true).split(separator: ".")
            .filter { !$0.hasPrefix("(unknown context at") }
            .joined(separator: ".")
    }

    private static func isOfLibrary(_ type: Any.Type) -> Bool {
        let module = _typeName(type, qualified: true).prefix { $0 != "." }
        return module == "Swift" || module.hasPrefix("Foundation") || module == "__C"
    }

    private static func rawName<Raw: RawRepresentable>(_ type: Raw.Type) -> String { name(of: Raw.RawValue.self) }

    private static func fields(of type: Any.Type) -> [(name: String, type: Any.Type)] {
        var fields: [(String, Any.Type)] = []
        switch _MetadataKind(rawValue: metadataKind(of: type)) {
        case .class, .struct, .enum, .tuple: break
        // Asked for the fields of an existential, the standard library crashes; the others have none.
        default: return []
        }
        // Classes are looked at only when asked for: option 1.
        let options = _EachFieldOptions(rawValue: type is AnyClass ? 1 : 0)
        _ = _forEachField(of: type, options: options) { name, _, type, _ in
            // A handle's token is never stored.
            if type != HandleToken?.self { fields.append((String(cString: name), type)) }
            return true
        }
        return fields
    }
}

/// What Swift's runtime says a type is, as reflection in the standard library asks it.
@_silgen_name("swift_getMetadataKind") private func metadataKind(of type: Any.Type) -> UInt

/// Lets optionals be recognised from a metatype.
private protocol LayoutOptional {
    static var wrapped: Any.Type { get }
}

extension Optional: LayoutOptional {
    fileprivate static var wrapped: Any.Type { Wrapped.self }
}

/// Lets Swift's collections be recognised from a metatype.
private protocol LayoutContainer {
    static var word: String { get }
    static var parts: [(String, Any.Type)] { get }
}

extension Array: LayoutContainer {
    fileprivate static var word: String { "Array" }
    fileprivate static var parts: [(String, Any.Type)] { [("element", Element.self)] }
}

extension Set: LayoutContainer {
    fileprivate static var word: String { "Set" }
    fileprivate static var parts: [(String, Any.Type)] { [("member", Element.self)] }
}

extension Dictionary: LayoutContainer {
    fileprivate static var word: String { "Dictionary" }
    fileprivate static var parts: [(String, Any.Type)] { [("key", Key.self), ("value", Value.self)] }
}
