import DurableCore

/// What a call does. It is the call's argument, so that calls with one key are the same call.
struct Operation: Hashable {
    enum Kind: UInt8 {
        /// Counts one more, and returns the count.
        case add
        /// Returns the count.
        case read
        /// Ends the process of whoever runs it.
        case poison
    }

    var kind: Kind
    /// Unlike that of any other operation.
    var number: UInt64

    /// The argument of the call.
    var bytes: [UInt8] { [kind.rawValue] + number.bytes }

    init(_ kind: Kind, _ number: UInt64) {
        self.kind = kind
        self.number = number
    }

    init?(bytes: [UInt8]) {
        guard bytes.count == 9, let kind = Kind(rawValue: bytes[0]) else { return nil }
        self.init(kind, UInt64(bytes: Array(bytes.dropFirst())))
    }
}

/// How a simulated call fails without its method; the outcome's bytes.
enum Failure: UInt8 {
    case stale, expired, beyondWindow, reused, cancelled, poison, diskFull

    var outcome: CallOutcome { .failed([rawValue]) }

    init?(_ outcome: CallOutcome) {
        guard case .failed(let bytes) = outcome, bytes.count == 1 else { return nil }
        self.init(rawValue: bytes[0])
    }
}
