import ArgumentParser
import DurableActors

/// What the actors hold in the end, against what callers were promised.
struct StormReckoning: Sendable {
    var accounts: [StormActor.Account]

    init(_ runtime: ActorRuntime) async throws {
        accounts = []
        for name in StormCast.names {
            accounts.append(try await runtime.getActor(StormActor.self, name: name).account())
        }
    }

    /// A short text that is the same for the same accounts.
    var text: String {
        accounts.map { account in
            var hash: UInt64 = 0xcbf2_9ce4_8422_2325
            for (stream, last) in account.streams.sorted(by: { $0.key < $1.key }) {
                for byte in "\(stream)=\(last);".utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
            }
            return "\(account.version)/\(account.balance)/\(account.streams.count)/\(hash)"
        }.joined(separator: " ")
    }

    /// A sentence for each promise that is broken.
    func violations(_ expected: [StormExpectation]) -> [String] {
        var sentences: [String] = []
        var unexpected = accounts.map(\.streams)
        for expectation in expected {
            let found = unexpected[expectation.actor].removeValue(forKey: expectation.stream) ?? 0
            if let violation = expectation.violation(found) { sentences.append(violation) }
        }
        for (actor, account) in accounts.enumerated() {
            let name = StormCast.names[actor]
            sentences += account.strays.map { "\(name) was called out of order or twice: \($0)" }
            let sum = account.streams.values.reduce(0, +)
            if account.version != sum {
                sentences.append("\(name) has version \(account.version) after \(sum) changes")
            }
            for (stream, count) in unexpected[actor].sorted(by: { $0.key < $1.key }).prefix(5) {
                sentences.append("\(name) has \(count) calls of \(stream), which nobody made")
            }
        }
        for actor in StormCast.banks.dropLast() {
            for (stream, count) in accounts[actor].streams where stream.hasPrefix("t") {
                let other = accounts[actor + 1].streams[">\(stream)"] ?? 0
                if other != count {
                    sentences.append("\(stream): \(count) transfers left \(StormCast.names[actor]), \(other) came")
                }
            }
        }
        let total = accounts.reduce(0) { $0 + $1.balance }
        if total != 0 { sentences.append("the accounts hold \(total) together instead of 0") }
        return sentences
    }
}

/// What a fresh process sees after a storm; not for people.
struct ReadStorm: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "read-storm", shouldDisplay: false)

    @Argument var directory: String

    func run() async throws {
        print(try await ActorRuntime.withRuntime(directory: directory) { try await StormReckoning($0).text })
    }
}
