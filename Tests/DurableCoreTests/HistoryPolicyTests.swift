import DurableCore
import Testing

@Suite("Options on earlier states")
struct HistoryPolicyTests {
    private static let fit: [HistoryPolicy] = [
        .last(1), .last(100_000), .within(.milliseconds(1)), HistoryPolicy(states: 3, age: .seconds(60)),
    ]
    private static let unfit: [HistoryPolicy] = [
        .last(0), .last(-1), .last(100_001), .within(.zero), .within(.seconds(-1)), .within(.seconds(1_000_000_000)),
    ]

    @Test("states and age within their limits are accepted", arguments: fit)
    func accepts(policy: HistoryPolicy) throws {
        var options = ActorOptions()
        #expect(options.history == nil)
        options.history = policy
        try options.validate()
    }

    @Test("states and ages beyond their limits are refused with the limits", arguments: unfit)
    func refuses(policy: HistoryPolicy) {
        var options = ActorOptions()
        options.history = policy
        let error = #expect(throws: ActorError.self) { try options.validate() }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains("allowed") == true)
    }
}
