import DurableCore
import Foundation
import Testing

struct ActorOptionsTests {
    private func message(_ options: ActorOptions) -> String? {
        do throws(ActorError) {
            try options.validate()
            return nil
        } catch {
            #expect(error.code == .invalidArgument)
            return error.message
        }
    }

    @Test func defaultsAndPresetsAreAllowed() {
        #expect(message(ActorOptions()) == nil)
        #expect(message(.default) == nil)
        #expect(message(.resilient) == nil)
        #expect(message(.resilient.detached(name: "a.b_C-9", namespace: "Z")) == nil)
        #expect(message(ActorOptions(maxRestarts: 3, maxTaskRetries: -1, durability: .process)) == nil)
        #expect(message(ActorOptions(durability: .none)) == nil)
    }

    @Test func aLimitThatIsNotAllowedIsNamedWithItsValue() {
        let allowed = "allowed are 0, a positive number, or .unlimited (-1)"
        #expect(message(ActorOptions(maxRestarts: -2)) == "maxRestarts is -2; \(allowed)")
        #expect(message(ActorOptions(maxTaskRetries: -7)) == "maxTaskRetries is -7; \(allowed)")
    }

    @Test func `a number of crashes for poison calls is positive or without limit`() {
        var options = ActorOptions()
        #expect(options.maxCallCrashes == 3)
        options.maxCallCrashes = 0
        let allowed = "allowed are a positive number, or .unlimited (-1)"
        #expect(message(options) == "maxCallCrashes is 0; \(allowed)")
        options.maxCallCrashes = .unlimited
        #expect(message(options) == nil)
        options.maxCallCrashes = 3
        #expect(options == ActorOptions())
    }

    @Test(arguments: [0, -1, .min])
    func `a number of calls at once that is not positive is named with the rule`(calls: Int) {
        #expect(message(.maxConcurrency(calls)) == "maxConcurrency is \(calls); allowed is 1 or more")
    }

    @Test func `options without a number of calls at once are stored and read as before there was one`() throws {
        #expect(ActorOptions().maxConcurrency == 1)
        #expect(ActorOptions.maxConcurrency(1) == ActorOptions())
        let before = try JSONEncoder().encode(ActorOptions())
        #expect(!String(decoding: before, as: UTF8.self).contains("oncurrency"))
        #expect(try JSONDecoder().decode(ActorOptions.self, from: before).maxConcurrency == 1)
        let after = try JSONEncoder().encode(ActorOptions.maxConcurrency(8))
        #expect(try JSONDecoder().decode(ActorOptions.self, from: after).maxConcurrency == 8)
        #expect(message(.maxConcurrency(.max)) == nil)
    }

    @Test func `an end with the last handle is for actors without a name, and stored only if it is wanted`() throws {
        #expect(!ActorOptions().endsWithLastHandle)
        let before = try JSONEncoder().encode(ActorOptions())
        #expect(!String(decoding: before, as: UTF8.self).contains("nheld"))
        #expect(try JSONDecoder().decode(ActorOptions.self, from: before) == ActorOptions())
        var options = ActorOptions()
        options.endsWithLastHandle = true
        #expect(message(options) == nil)
        #expect(try JSONDecoder().decode(ActorOptions.self, from: JSONEncoder().encode(options)) == options)
        let rule = "endsWithLastHandle is for actors that are found by handles only;"
        #expect(message(options.detached(name: "one")) == "\(rule) name is one, isDetached is true")
        options.name = "one"
        #expect(message(options) == "\(rule) name is one, isDetached is false")
        options.name = nil
        options.isDetached = true
        #expect(message(options) == "\(rule) name is nil, isDetached is true")
        options.isDetached = false
        options.endsWithLastHandle = false
        #expect(options == ActorOptions())
    }

    @Test(arguments: ["", ".hidden", "a b", "a/b", "ä", "a\0", "..", String(repeating: "x", count: 129)])
    func aNameThatIsNotAllowedIsNamedWithTheRule(name: String) {
        let allowed = "allowed are 1 to 128 of A-Z a-z 0-9 . _ -, not starting with a dot"
        #expect(message(ActorOptions().detached(name: name)) == "name is \"\(name.onOneLine)\"; \(allowed)")
        let scoped = ActorOptions().detached(name: "a", namespace: name)
        #expect(message(scoped) == "namespace is \"\(name.onOneLine)\"; \(allowed)")
    }

    @Test func theLongestNameIsAllowed() {
        #expect(message(ActorOptions().detached(name: String(repeating: "x", count: 128))) == nil)
    }

    @Test func aLimitOfNAllowsNRepetitions() {
        #expect(!RepeatLimit(0).allows(after: 0))
        #expect(RepeatLimit(2).allows(after: 1) && !RepeatLimit(2).allows(after: 2))
        #expect(RepeatLimit.unlimited.allows(after: .max))
        #expect(RepeatLimit(-1) == .unlimited)
        #expect(RepeatLimit.unlimited.description == "unlimited")
    }

    @Test(arguments: [0, -2] as [RepeatLimit])
    func `PND-05: a limit of pending calls is a positive number or none`(limit: RepeatLimit) {
        var options = ActorOptions()
        #expect(options.maxPendingCalls == .unlimited)
        options.maxPendingCalls = limit
        let allowed = "allowed are a positive number, or .unlimited (-1)"
        #expect(message(options) == "maxPendingCalls is \(limit.rawValue); \(allowed)")
        options.maxPendingCalls = 1
        #expect(message(options) == nil)
        options.maxPendingCalls = -1
        #expect(options == ActorOptions())
    }

    @Test func `PND-05: options that were stored before there was a limit have none, and a limit is stored`() throws {
        var options = ActorOptions()
        options.maxPendingCalls = 7
        let stored = try JSONEncoder().encode(options)
        #expect(try JSONDecoder().decode(ActorOptions.self, from: stored) == options)
        let unlimited = try JSONEncoder().encode(ActorOptions())
        #expect(String(decoding: unlimited, as: UTF8.self).contains("endingCalls") == false)
        #expect(try JSONDecoder().decode(ActorOptions.self, from: unlimited).maxPendingCalls == .unlimited)
    }

    @Test func `a restart intensity that is not allowed is named with its value`() {
        var options = ActorOptions()
        for restarts in [0, -1, 1_001] {
            options.restartIntensity = RestartIntensity(restarts: restarts, within: .seconds(1))
            #expect(message(options) == "restartIntensity.restarts is \(restarts); allowed are 1 to 1000")
        }
        for within in [Duration.zero, .seconds(-1), .seconds(86_401)] {
            options.restartIntensity = RestartIntensity(restarts: 1, within: within)
            let allowed = "allowed is more than zero and at most 86400.0 seconds"
            #expect(message(options) == "restartIntensity.within is \(within); \(allowed)")
        }
        options.restartIntensity = RestartIntensity(restarts: 1_000, within: .seconds(86_400))
        #expect(message(options) == nil)
    }

    @Test func `a back-off that is not allowed is named with its value`() {
        func problem(_ initial: Duration = .seconds(1), _ factor: Double = 2, _ limit: Duration = .seconds(9))
            -> String?
        {
            var options = ActorOptions()
            options.restartBackOff = RestartBackOff(initial: initial, factor: factor, limit: limit)
            return message(options)
        }
        #expect(problem() == nil)
        #expect(problem(.zero, 1, .zero) == nil)
        #expect(problem(.seconds(-1)) == "restartBackOff.initial is -1.0 seconds; allowed is zero or more")
        for factor in [0.99, 100.1, .nan, .infinity] {
            #expect(problem(.seconds(1), factor) == "restartBackOff.factor is \(factor); allowed are 1 to 100")
        }
        let allowed = "allowed are the initial 1.0 seconds to 86400.0 seconds"
        for limit in [Duration.zero, .seconds(86_401)] {
            #expect(problem(.seconds(1), 2, limit) == "restartBackOff.limit is \(limit); \(allowed)")
        }
        var shared = ActorOptions().shared("group")
        shared.restartBackOff.initial = .seconds(1)
        #expect(message(shared) == "restartBackOff is for dedicated actors only; isolation is \(shared.isolation)")
    }

    @Test func `options without a restart intensity or a back-off are stored as before there was any`() throws {
        let before = String(decoding: try JSONEncoder().encode(ActorOptions()), as: UTF8.self)
        #expect(!before.contains("ntensity") && !before.contains("ackOff"))
        var options = ActorOptions()
        options.restartIntensity = RestartIntensity(restarts: 3, within: .seconds(5))
        options.restartBackOff.limit = .seconds(1)
        #expect(try JSONDecoder().decode(ActorOptions.self, from: JSONEncoder().encode(options)) == options)
    }

    @Test func `a limit of silence that is not allowed is named with its value`() throws {
        var options = ActorOptions()
        for limit in [UnresponsiveLimit.process(.seconds(4)), .thread(.seconds(86_401))] {
            options.unresponsiveLimit = limit
            let allowed = "allowed are 5.0 seconds to 86400.0 seconds"
            #expect(message(options) == "unresponsiveLimit is \(limit); \(allowed)")
        }
        options.unresponsiveLimit = .process(.seconds(5))
        #expect(message(options) == nil)
        #expect(try JSONDecoder().decode(ActorOptions.self, from: JSONEncoder().encode(options)) == options)
        let message = "unresponsiveLimit is for dedicated actors only; isolation is "
        let shared = options.shared("group")
        #expect(self.message(shared) == message + "\(shared.isolation)")
    }
}
