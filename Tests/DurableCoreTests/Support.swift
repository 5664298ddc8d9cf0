import DurableCore
import Glibc
import Testing

/// A small random generator with a seed, so that a failure can be repeated.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// True once in so many times.
    mutating func oneIn(_ count: Int) -> Bool { Int.random(in: 0..<count, using: &self) == 0 }
}

/// The seeds of random tests; `DURABLE_TEST_SEED` replaces them by one.
enum Seeds {
    static func first(_ count: UInt64) -> [UInt64] {
        if let text = getenv("DURABLE_TEST_SEED"), let seed = UInt64(String(cString: text)) { return [seed] }
        return Array(1...count)
    }
}

extension CreateRequest {
    /// A request with everything that a test does not care about.
    static func simple(
        _ number: UInt64,
        name: String? = nil,
        namespace: String = "default",
        isDetached: Bool = false,
        owner: Owner = .driver(DriverID(high: 9, low: 9)),
        getsExisting: Bool = false
    ) -> CreateRequest {
        var options = ActorOptions()
        options.name = name
        options.namespace = namespace
        options.isDetached = isDetached
        return CreateRequest(
            id: ActorID(high: 0, low: number),
            typeName: "1T",
            typeDescription: "T",
            arguments: [],
            options: options,
            owner: owner,
            executable: "/bin/true",
            getsExisting: getsExisting
        )
    }
}

extension ActorRecord {
    /// A record with everything that a test does not care about.
    static func simple(_ number: UInt64, shard: ShardNumber = 1) -> ActorRecord {
        ActorRecord(
            id: ActorID(high: 0, low: number),
            typeName: "1T",
            typeDescription: "T",
            arguments: [],
            options: ActorOptions(),
            owner: .detached,
            executable: "/bin/true",
            shard: shard
        )
    }
}
