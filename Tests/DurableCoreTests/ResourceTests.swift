import DurableCore
import Testing

/// Amounts, demands and pools.
struct ResourceTests {
    private func message(_ resources: Resources) -> String? {
        do throws(ActorError) {
            try ActorOptions().resources(resources).validate()
            return nil
        } catch {
            #expect(error.code == .invalidArgument)
            return error.message
        }
    }

    @Test(arguments: [0.0001, 0.1, 0.3, 0.5, 1, 2.5, 64, 1024.1234, 1e14])
    func `an amount in steps of a ten-thousandth is kept exactly`(value: Double) throws {
        let amount = try #require(ResourceAmount(value))
        #expect(amount.value == value)
        #expect((0..<8).reduce(ResourceAmount.zero) { sum, _ in sum + amount }.units == amount.units * 8)
    }

    @Test func `RES-07: an amount that is negative, too fine or too large is refused and named`() {
        for value in [-1, -0.0001, 0.00001, 0.12345, .infinity, .nan, 1e15] {
            let allowed = "allowed are 0 to 100000000000000, no finer than 0.0001"
            #expect(message(Resources(cpu: value)) == "cpu is \(value); \(allowed)")
            #expect(message(Resources(custom: ["label": value])) == "label is \(value); \(allowed)")
        }
        #expect(message(Resources(memory: -1)) == "memory is -1; allowed are 0 to 100000000000000 bytes")
        #expect(message(Resources(gpu: 1.5)) == "gpu is 1.5; allowed are a fraction of 1, or a whole number")
        for gpu in [0, 0.25, 1, 2] { #expect(message(Resources(gpu: gpu)) == nil) }
        #expect(message(Resources(cpu: 1.5, memory: 1, custom: ["label": 0.0001])) == nil)
    }

    @Test(arguments: ["cpu", "CPU", "gpu", "GPU", "memory", "Memory"])
    func `RES-08: what has an option of its own cannot be a custom resource`(name: String) {
        #expect(
            message(Resources(custom: [name: 1])) == "\(name) cannot be a custom resource; it has an option of its own"
        )
    }

    @Test func `a custom resource's name is held to the rule of names`() {
        #expect(message(Resources(custom: ["a b": 1]))?.hasPrefix("a custom resource's name is \"a b\"") == true)
        #expect(message(Resources(custom: ["": 1]))?.hasPrefix("a custom resource's name is \"\"") == true)
    }

    @Test func `only dedicated actors reserve resources`() {
        var options = ActorOptions().shared("group")
        #expect(throws: Never.self) { try options.validate() }
        options.resources = Resources(cpu: 0)
        #expect(throws: ActorError.self) { try options.validate() }
    }

    @Test func `RES-05: with any resource but memory an actor holds a processor, unless told otherwise`() throws {
        func demand(_ resources: Resources) throws -> [[String: Double]] {
            let demand = try ResourceDemand(resources)
            return [demand.placement.values, demand.held.values]
        }
        #expect(try demand(Resources()) == [["cpu": 1], [:]])
        #expect(try demand(Resources(memory: 5)) == [["cpu": 1, "memory": 5], ["memory": 5]])
        #expect(try demand(Resources(gpu: 1)) == [["cpu": 1, "gpu": 1], ["cpu": 1, "gpu": 1]])
        #expect(try demand(Resources(gpu: 0)) == [["cpu": 1], ["cpu": 1]])
        #expect(try demand(Resources(custom: ["a": 2])) == [["cpu": 1, "a": 2], ["cpu": 1, "a": 2]])
        #expect(try demand(Resources(cpu: 0)) == [[:], [:]])
        #expect(try demand(Resources(cpu: 0, gpu: 0.5)) == [["gpu": 0.5], ["gpu": 0.5]])
        #expect(try demand(Resources(cpu: 2)) == [["cpu": 2], ["cpu": 2]])
    }

    @Test func `whole GPUs are never shared, and fractions are put together`() throws {
        func gpu(_ amount: Double) -> ResourceSet { ResourceSet(["gpu": ResourceAmount(amount) ?? .zero]) }
        var pool = ResourcePool(gpu(3), devices: ["a", "b", "c"])
        func take(_ amount: Double) -> ResourceShare? { pool.take(gpu(amount)) }
        func names(_ amount: Double) -> [String]? { take(amount)?.devices.map(\.device) }
        #expect(names(0.5) == ["a"])
        #expect(names(1) == ["b"])
        #expect(names(0.5) == ["a"])
        #expect(names(0.6) == ["c"])
        #expect(names(1) == nil, "0.4 of one is left")
        #expect(names(0.5) == nil)
        let last = take(0.4)
        #expect(last?.devices.map(\.device) == ["c"])
        #expect(pool.available.isEmpty)
        pool.put(try #require(last))
        #expect(pool.available.values == ["gpu": 0.4])
    }

    @Test func `what is taken though it is not there is missing until it is put back`() throws {
        var large = ResourcePool(ResourceSet(["cpu": .one, "gpu": .one]), devices: ["7"])
        let taken = large.take(ResourceSet(["cpu": .one, "gpu": .one]))
        let share = try #require(taken)
        var small = ResourcePool(ResourceSet(), devices: [])
        small.take(share)
        #expect(small.share(for: ResourceSet(["cpu": .one])) == nil)
        #expect(small.share(for: ResourceSet(["gpu": .one])) == nil)
        small.put(share)
        #expect(small.available.isEmpty)
        #expect(small.share(for: ResourceSet(["gpu": .one])) == nil)
    }

    @Test func `amounts are written for people`() {
        #expect("\(ResourceSet())" == "nothing")
        #expect("\(ResourceSet(["cpu": .one]))" == "1 cpu")
        let all = ResourceSet(["z": .one, "gpu": ResourceAmount(0.5) ?? .zero, "memory": .one, "a": .one, "cpu": .one])
        #expect("\(all)" == "1 cpu, 0.5 gpu, 1 bytes of memory, 1 a and 1 z")
    }
}

extension ActorOptions {
    fileprivate func resources(_ resources: Resources) -> ActorOptions {
        var options = self
        options.resources = resources
        return options
    }
}
