import DurableActors
import Testing

/// Methods run the same way whether Swift looks their types up, as at the first call, or has them already.
@Suite struct MethodDispatchTests {
    @Test func `arguments and results of all kinds are the same at the first call and at later ones`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let echo = try await runtime.spawn(EchoOfAllKinds.self, options: .resilient)
            let parcel = EchoOfAllKinds.Parcel(text: String(repeating: "a long text ", count: 50), numbers: [1, 2, 3])
            for _ in 0..<4 {
                #expect(try await echo.nothing() == 7)
                #expect(try await echo.many("text", [1, 2], nil, 2.5, parcel, .second(9)) == "text [1, 2] nil 2.5 3 9")
                #expect(try await echo.many("", [], 3, -0.5, parcel, .first) == " [] 3 -0.5 3 0")
                #expect(try await echo.parcel(parcel) == parcel)
                #expect(try await echo.maybe(true) == parcel.text.count)
                #expect(try await echo.maybe(false) == nil)
                #expect(try await echo.table(["a": [1], "b": []]) == ["a": [1], "b": []])
                #expect(try await echo.wide() == EchoOfAllKinds.Wide())
                try await echo.keep(5)
                #expect(try await echo.kept() == 5)
                #expect(try await echo.itself().id == echo.id)
                #expect(try await echo.named() == "EchoOfAllKinds")
            }
        }
    }

    @Test func `what a method throws is the same at the first call and at later ones`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            let echo = try await runtime.spawn(EchoOfAllKinds.self, options: .resilient)
            for round in 0..<6 {
                // It returns at times, so that its types are known at others.
                let isFine = round == 2
                do {
                    let value = try await echo.thrower(isFine)
                    #expect(isFine && value == "fine")
                } catch let error as EchoOfAllKinds.Refusal {
                    #expect(!isFine && error == EchoOfAllKinds.Refusal(reason: "no"))
                }
            }
        }
    }

    @Test func `many open calls of one method keep their results apart`() async throws {
        try await ActorRuntime.withRuntime { runtime in
            var options = ActorOptions.default
            options.maxConcurrency = 16
            let echo = try await runtime.spawn(EchoOfAllKinds.self, options: options)
            #expect(try await echo.slowly("first") == "first")
            let refs = (0..<64).map { number in echo.submit { try await $0.slowly("number \(number) of many") } }
            for (number, ref) in refs.enumerated() { #expect(try await ref.value == "number \(number) of many") }
        }
    }
}

protocol NamedByItsType: DurableActor {}

extension NamedByItsType {
    distributed func named() -> String { "\(Self.self)" }
}

/// Gives back what it is given.
distributed actor EchoOfAllKinds: NamedByItsType {
    struct Parcel: Codable, Sendable, Equatable {
        var text: String
        var numbers: [Int]
    }

    enum Choice: Codable, Sendable {
        case first
        case second(Int)

        var number: Int { if case .second(let number) = self { number } else { 0 } }
    }

    /// More than registers hold.
    struct Wide: Codable, Sendable, Equatable {
        var a = "a", b = "b", c = "c", d = 4, e = 5, f = 6, g = [7], h = [8.5], i: Int? = nil, j = "the last of many"
    }

    struct Refusal: Error, Codable, Equatable {
        var reason: String
    }

    @Checkpointed var value = 0

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async { self.actorSystem = actorSystem }

    distributed func nothing() -> Int { 7 }

    distributed func many(
        _ text: String,
        _ list: [Int],
        _ maybe: Int?,
        _ number: Double,
        _ parcel: Parcel,
        _ choice: Choice
    ) -> String {
        "\(text) \(list) \(maybe.map(String.init) ?? "nil") \(number) \(parcel.numbers.count) \(choice.number)"
    }

    distributed func parcel(_ parcel: Parcel) async -> Parcel { parcel }

    distributed func maybe(_ isThere: Bool) -> Int? { isThere ? 600 : nil }

    distributed func table(_ table: [String: [Int]]) -> [String: [Int]] { table }

    distributed func wide() -> Wide { Wide() }

    distributed func keep(_ value: Int) { self.value = value }

    distributed func kept() -> Int { value }

    distributed func itself() -> EchoOfAllKinds { self }

    distributed func thrower(_ isFine: Bool) throws -> String {
        guard isFine else { throw Refusal(reason: "no") }
        return "fine"
    }

    distributed func slowly(_ text: String) async throws -> String {
        try await Task.sleep(for: .milliseconds(2))
        return text
    }
}
