internal import CBOR

/// JSON for programs: the tool's values are shown as the package shows all stored state.
enum JSON {
    /// One line of JSON.
    static func text(_ value: CBORValue, pretty: Bool = false) throws -> String {
        try CBORDiagnostic.json(CBOREncoder().encode(value), pretty: pretty)
    }
}

extension CBORValue {
    /// An object.
    static func object(_ members: KeyValuePairs<String, CBORValue>) -> CBORValue {
        .map(members.map { Entry(.text($0.key), $0.value) })
    }

    /// Milliseconds with three places.
    static func milliseconds(_ duration: Duration?) -> CBORValue {
        guard let duration else { return .null }
        return .float((duration / .microseconds(1)).rounded() / 1000)
    }

    /// A text, or nothing.
    static func text(orNull text: String?) -> CBORValue { text.map { .text($0) } ?? .null }
}
