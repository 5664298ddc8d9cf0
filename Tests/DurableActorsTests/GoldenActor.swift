import DurableActors
import Foundation

/// Has everything that a shard can hold. Never changed: what it stored in earlier builds is read by this one.
distributed actor GoldenActor: DurableActor {
    struct Everything: Codable, Sendable, Equatable {
        enum Color: String, Codable, Sendable { case red, green }

        enum Shape: Codable, Sendable, Equatable { case circle(radius: Double), line(Int, Int), empty }

        var small = -1
        var large = UInt64.max
        var huge = Int128.min
        var half = 0.5
        var third = 1.0 / 3
        var single: Float = 0.1
        var infinite = -Double.infinity
        var flag = true
        var text = "größer als 🏔️"
        var bytes: [UInt8] = [0, 1, 255]
        var numbers: [Int?] = [1, nil, -500]
        var byText = ["a": 1, "": 2]
        var byNumber = [7: "seven", -7: "minus"]
        var none: Int?
        var nested: Int?? = .some(nil)
        var color = Color.green
        var shapes: [Shape] = [.circle(radius: 2), .line(1, 2), .empty]
        var members: Set<String> = ["only"]
        var date = Date(timeIntervalSinceReferenceDate: 1.25)
        var id = UUID(uuid: (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16))
    }

    struct Place: Codable, Sendable, Equatable, Hashable {
        var row: Int
        var column: String
    }

    @Checkpointed var everything = Everything()
    @Checkpointed var count = 0
    @Checkpointed var portions = ""
    @Checkpointed var byName = CheckpointedDictionary<String, Everything.Shape>()
    @Checkpointed var byPlace = CheckpointedDictionary<Place, Int>()
    @Checkpointed var numbers: CheckpointedSet<Double> = [2, -1.5]
    @Checkpointed var lines = CheckpointedArray<String>()
    @Checkpointed var emptied = CheckpointedArray<Int>()

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
        emptied += [1, 2]
    }

    /// Fills everything; called once.
    distributed func fill() -> Int {
        count += 1
        portions = String(repeating: "p", count: 300_000)
        byName["small"] = .circle(radius: 1)
        byName[String(repeating: "k", count: 600)] = .empty
        byPlace[Place(row: 2, column: "b")] = 2
        byPlace[Place(row: -300, column: "")] = 1
        lines += ["one", String(repeating: "l", count: 300_000)]
        lines.prepend("zero")
        emptied.removeAll()
        return count
    }

    /// What is not as it was filled.
    distributed func problems() -> [String] {
        var problems: [String] = []
        func check(_ what: String, _ isRight: Bool) { if !isRight { problems.append(what) } }
        check("everything: \(everything)", everything == Everything())
        check("count: \(count)", count == 1)
        check("portions", portions == String(repeating: "p", count: 300_000))
        check("byName small", byName["small"] == .circle(radius: 1))
        check("byName long", byName[String(repeating: "k", count: 600)] == .empty && byName.count == 2)
        let places = byPlace.map { $0.key }
        check("byPlace order", places == [Place(row: -300, column: ""), Place(row: 2, column: "b")])
        check("byPlace values", Array(byPlace.values) == [1, 2])
        check("numbers", Array(numbers) == [-1.5, 2])
        check("lines", lines.map(\.count) == [4, 3, 300_000] && lines[0] == "zero" && lines[1] == "one")
        check("emptied", emptied.isEmpty)
        return problems
    }
}
