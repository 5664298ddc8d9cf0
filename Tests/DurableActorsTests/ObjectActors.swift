import CBOR
import Distributed
import DurableActors
import Glibc

/// Takes and gives references.
distributed actor Librarian: DurableActor {
    struct Setup: Codable, Sendable {
        var source: ObjectRef<Int>?
    }

    @Checkpointed var log: [Int] = []
    private var kept: [ObjectRef<Int>] = []
    private var bytes: ObjectRef<[UInt8]>?
    private var outer: ObjectRef<[ObjectRef<Int>]>?
    private let first: Int

    init(_ setup: Setup, actorSystem: ActorRuntime) async throws {
        self.actorSystem = actorSystem
        first = try await setup.source?.value ?? 0
    }

    distributed func processID() -> Int32 { getpid() }

    distributed func given() -> Int { first }

    /// Notes the value of an argument, which is there when this begins.
    distributed func note(_ ref: ObjectRef<Int>) async throws { log.append(try await ref.value) }

    distributed func note(plain number: Int) { log.append(number) }

    /// Notes the value, and dies of that as often as the file has fewer lines than `times`.
    distributed func noteDying(_ ref: ObjectRef<Int>, times: Int, attempts: String) async throws -> Int {
        let value = try await ref.value
        if Attempts.note(in: attempts) <= times { raise(SIGKILL) }
        log.append(value)
        return value
    }

    distributed func list() -> [Int] { log }

    distributed func isReady(in box: [String: [ObjectRef<Int>]]) -> [Bool] { box["refs"]?.map(\.isReady) ?? [] }

    distributed func sum(_ refs: [ObjectRef<Int>]) async throws -> Int {
        try await actorSystem.get(refs).reduce(0, +)
    }

    distributed func isSame(_ one: ObjectRef<Int>, _ other: [ObjectRef<Int>]) -> Bool {
        other.allSatisfy { $0 == one } && Set(other + [one]).count == 1
    }

    distributed func count(_ bytes: ObjectRef<[UInt8]>) async throws -> Int { try await bytes.value.count }

    /// What a reference stands for that came as bytes, which keep nothing.
    distributed func count(encoded: [UInt8]) async throws -> Int {
        var decoder = CBORDecoder()
        decoder.userInfo[.actorSystemKey] = actorSystem
        return try await decoder.decode(ObjectRef<[UInt8]>.self, from: encoded).value.count
    }

    distributed func reverse(_ bytes: [UInt8]) -> [UInt8] { bytes.reversed() }

    distributed func keep(_ bytes: ObjectRef<[UInt8]>) { self.bytes = bytes }

    distributed func drop() { bytes = nil }

    distributed func readKept() async throws -> Int { try await bytes?.value.count ?? -1 }

    distributed func put(_ value: Int) throws -> ObjectRef<Int> {
        let ref = try actorSystem.put(value)
        kept.append(ref)
        return ref
    }

    distributed func lay(_ ref: ObjectRef<Int>) { kept = [ref] }

    /// Gives away the only reference.
    distributed func take() throws -> ObjectRef<Int> { kept.removeLast() }

    distributed func keepOuter(_ ref: ObjectRef<[ObjectRef<Int>]>) { outer = ref }

    distributed func readInner() async throws -> Int { try await outer?.value.first?.value ?? -1 }

    distributed func weigh(_ bytes: [UInt8], _ number: Int) -> Int {
        log.append(number)
        return bytes.count
    }

    /// A reference to a call that this actor has made.
    distributed func submit(_ amount: Int, to counter: Counter) -> ObjectRef<Int> {
        counter.submit { try await $0.add(amount) }
    }

    distributed func cancel(_ refs: [ObjectRef<Int>]) { for ref in refs { ref.cancel() } }

    distributed func shared() -> Int { SharedMemory.segments(of: getpid()) }
}

/// Has a large value, or is given one, and says where it is.
distributed actor Warehouse: DurableActor {
    struct Setup: Codable, Sendable {
        var goods: ObjectRef<[UInt8]>?
    }

    private let goods: ObjectRef<[UInt8]>?

    init(_ setup: Setup, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
        goods = setup.goods
    }

    distributed func put(_ count: Int) throws -> ObjectRef<[UInt8]> {
        try actorSystem.put([UInt8](repeating: 1, count: count))
    }

    distributed func node() -> String { ActorContext.current?.node ?? "" }

    distributed func count() async throws -> Int { try await goods?.value.count ?? 0 }
}

/// Adds what references stand for.
struct SumTask: RemoteTask {
    var refs: [ObjectRef<Int>]

    func run(on runtime: ActorRuntime) async throws -> Int { try await runtime.get(refs).reduce(0, +) }
}

/// What processes have of the memory of large values.
enum SharedMemory {
    static func segments(of pid: Int32) -> Int {
        var count = 0
        for descriptor in 0..<1024 {
            var target = [CChar](repeating: 0, count: 256)
            guard readlink("/proc/\(pid)/fd/\(descriptor)", &target, 255) > 0 else { continue }
            let text = String(decoding: target.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if text.contains("durable-object") { count += 1 }
        }
        return count
    }
}
