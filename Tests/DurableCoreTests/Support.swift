import DurableChaos
import DurableCore
import Glibc
import Testing

extension SeededGenerator {
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
