import DurableCore
import Testing

struct ConcurrencyGroupTests {
    private let groups = ConcurrencyGroups([
        ConcurrencyGroup("io", limit: 2, methods: ["fetch", "store(_:under:)"]),
        ConcurrencyGroup("compute", limit: 4, methods: ["process"]),
    ])

    private func message(_ groups: ConcurrencyGroup...) -> String? {
        do throws(ActorError) {
            try ConcurrencyGroups(groups).validate(type: "Worker")
            return nil
        } catch {
            #expect(error.code == .invalidArgument)
            return error.message
        }
    }

    @Test(arguments: [
        ("App.Worker.fetch()", 1), ("Worker.fetch(_:from:)", 1), ("fetch", 1), ("App.Worker.store(_:under:)", 1),
        ("App.Worker.store(_:)", 0), ("App.Worker.process(_:)", 2), ("App.fetch.health()", 0), ("", 0), ("(", 0),
    ])
    func `a method's lane follows from its name, or from its name and labels`(method: String, lane: Int) {
        #expect(groups.lane(of: method) == lane)
    }

    @Test func `the default group is the first lane, with the limit of the actor's options`() throws {
        #expect(groups.limits(maxConcurrency: 7) == [7, 2, 4])
        #expect(ConcurrencyGroups().limits(maxConcurrency: 1) == [1])
        let actor = ActorID(high: 1, low: 2)
        for (lane, name) in ["default", "io", "compute"].enumerated() {
            #expect(try groups.lane(ofGroup: name, type: "Worker", actor: actor) == lane)
        }
    }

    @Test func `a group that is not declared is refused with the ones that are`() {
        let actor = ActorID(high: 1, low: 2)
        let error = #expect(throws: ActorError.self) {
            try groups.lane(ofGroup: "oi", type: "Worker", actor: actor)
        }
        #expect(error?.code == .invalidArgument)
        let expected = "Worker has no concurrency group \"oi\"; its groups are default, io, compute"
        #expect(error?.message == expected)
    }

    @Test func `a wrong declaration is named with what is wrong`() {
        #expect(message() == nil)
        #expect(message(ConcurrencyGroup("a", limit: 1), ConcurrencyGroup("b", limit: .max, methods: ["m"])) == nil)
        let (a, b) = (ConcurrencyGroup("a", limit: 1, methods: ["m"]), ConcurrencyGroup("b", limit: 1, methods: ["m"]))
        #expect(message(a, b) == "m of Worker is in the concurrency groups a and b")
        #expect(message(a, a) == "the name of concurrency group \"a\" of Worker is used twice")
        let standard = ConcurrencyGroup("default", limit: 1)
        #expect(message(standard) == "the name of concurrency group \"default\" of Worker is that of the default one")
        let none = "the limit of concurrency group \"c\" of Worker is 0; allowed is 1 or more"
        #expect(message(ConcurrencyGroup("c", limit: 0)) == none)
        #expect(
            message(ConcurrencyGroup("", limit: 1))?.hasPrefix("the name of a concurrency group of Worker is") == true
        )
    }
}
