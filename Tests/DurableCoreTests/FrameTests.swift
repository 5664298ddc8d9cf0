import DurableChaos
import DurableCore
import Testing

struct FrameTests {
    private let call = CallFrame(
        actor: ActorID(high: 0x0102_0304_0506_0708, low: 9),
        id: CallID(session: SessionID(high: 10, low: .max), sequence: 0xFFFF_FFFF_FF),
        firstIncomplete: 77,
        method: "$s1T3addyS2iFTE",
        genericSubstitutions: ["Si", "SS"],
        arguments: [[1, 2, 3], [], Array(repeating: 7, count: 300)]
    )

    private let replies =
        [CallOutcome.returned([]), .returned([1]), .threw(typeName: "1E", value: [2]), .failed([3])]
        .map { ReplyFrame(sequence: 5, actor: ActorID(high: 1, low: 2), epoch: 3, version: .max, outcome: $0) }

        + [
            ReplyFrame(
                sequence: 5,
                actor: ActorID(high: 1, low: 2),
                epoch: 3,
                version: 0,
                outcome: .returned([]),
                isRecorded: true
            )
        ]

    private let greeting = HostGreeting(actor: ActorID(high: 1, low: 2), incarnation: 3, epoch: 4)

    @Test func framesComeBackAsTheyWereSent() throws {
        #expect(try CallFrame(decoding: call.encoded()) == call)
        var least = call
        (least.method, least.genericSubstitutions, least.arguments) = ("", [], [])
        #expect(try CallFrame(decoding: least.encoded()) == least)
        var keyed = call
        keyed.firstSent = 0x1234_5678_9ABC
        for (isRetriable, isExplicit) in [(false, false), (true, false), (false, true), (true, true)] {
            keyed.isRetriable = isRetriable
            let key = CallKey(high: 1, low: .max)
            keyed.deduplication = Deduplication(key, retentionMilliseconds: .max, isExplicit: isExplicit)
            #expect(try CallFrame(decoding: keyed.encoded()) == keyed)
            #expect(keyed.name == .key(key) && call.name == .id(call.id))
        }
        for cancellation in [CallFrame.Cancellation.recursive, .single] {
            keyed.cancellation = cancellation
            #expect(try CallFrame(decoding: keyed.encoded()) == keyed)
            #expect(keyed.fingerprint == call.fingerprint, "it is the same call")
        }
        for var asking in [call, keyed] {
            asking.group = "io"
            #expect(try CallFrame(decoding: asking.encoded()) == asking)
            for name in [CallName.id(call.id), .key(CallKey(high: 5, low: 6)), nil] {
                let turn = WaitingTurn(actor: call.actor, call: name, epoch: 9, type: "Größe")
                asking.waiting = asking.waiting.followed(by: turn)
                #expect(try CallFrame(decoding: asking.encoded()) == asking)
            }
        }
        let superseded = SupersededFrame(epoch: .max - 1)
        #expect(try SupersededFrame(decoding: superseded.encoded()) == superseded)
        #expect(throws: MalformedBytes.self) { try SupersededFrame(decoding: superseded.encoded() + [0]) }
        let release = ReleaseFrame(actor: call.actor, keys: [CallKey(high: 1, low: 2), CallKey(high: 3, low: 4)])
        #expect(try ReleaseFrame(decoding: release.encoded()) == release)
        #expect(throws: MalformedBytes.self) { try ReleaseFrame(decoding: Array(release.encoded().dropLast())) }
        for reply in replies { #expect(try ReplyFrame(decoding: reply.encoded()) == reply) }
        #expect(try HostGreeting(decoding: greeting.encoded()) == greeting)
    }

    @Test func aFrameThatIsTornAnywhereIsRefused() {
        for count in 0..<call.encoded().count {
            #expect(throws: MalformedBytes.self) { try CallFrame(decoding: Array(call.encoded().prefix(count))) }
        }
        for bytes in replies.map({ $0.encoded() }) {
            for count in 0..<bytes.count {
                #expect(throws: MalformedBytes.self) { try ReplyFrame(decoding: Array(bytes.prefix(count))) }
            }
        }
        for count in 0..<32 {
            #expect(throws: MalformedBytes.self) {
                try HostGreeting(decoding: Array(greeting.encoded().prefix(count)))
            }
        }
    }

    @Test func bytesBehindAFrameAreRefused() {
        #expect(throws: MalformedBytes.self) { try CallFrame(decoding: call.encoded() + [0]) }
        #expect(throws: MalformedBytes.self) { try ReplyFrame(decoding: replies[0].encoded() + [0]) }
        #expect(throws: MalformedBytes.self) { try HostGreeting(decoding: greeting.encoded() + [0]) }
    }

    @Test func countsThatDoNotFitAreRefusedBeforeAnythingIsReserved() {
        let head = [UInt8](repeating: 1, count: 57)
        let huge: [UInt8] = [0xFF, 0xFF, 0xFF, 0xFF]
        let empty: [UInt8] = [0, 0, 0, 0]
        let hostile: [[UInt8]] = [
            head + huge,  // the method's length
            head + empty + [255],  // 255 generic names
            head + empty + [1] + huge,  // the length of a generic name
            head + empty + [0, 0xFF, 0xFF],  // 65,535 arguments
            head + empty + [0, 0xFF, 0xFF] + empty,
            head + empty + [0, 1, 0] + huge,  // an argument's length
        ]
        for bytes in hostile { #expect(throws: MalformedBytes.self) { try CallFrame(decoding: bytes) } }
        let reply = [UInt8](repeating: 1, count: 40)
        for kind: UInt8 in 0...3 {
            #expect(throws: MalformedBytes.self) { try ReplyFrame(decoding: reply + [kind] + huge) }
        }
    }

    @Test func sequenceNumbersStartAtOneAndTextIsUTF8() {
        var zero = call
        zero.id.sequence = 0
        #expect(throws: MalformedBytes.self) { try CallFrame(decoding: zero.encoded()) }
        var bytes = call.encoded()
        bytes[61] = 0xFF
        #expect(throws: MalformedBytes.self) { try CallFrame(decoding: bytes) }
    }

    @Test func flagsThatMeanNothingAreRefused() {
        for flags: UInt8 in [4, 5, 16, 17] {
            var bytes = call.encoded()
            bytes[56] = flags
            let error = #expect(throws: MalformedBytes.self) { try CallFrame(decoding: bytes) }
            #expect(error?.description == "the call's flags are \(flags)")
        }
        var bytes = replies[0].encoded()
        bytes[bytes.count - 1] = 3
        #expect(throws: MalformedBytes.self) { try ReplyFrame(decoding: bytes) }
    }

    @Test func anUnknownOutcomeIsRefused() {
        var bytes = replies[0].encoded()
        bytes[40] = 3
        let apart = #expect(throws: MalformedBytes.self) { try ReplyFrame(decoding: bytes) }
        #expect(apart?.description == "a result came without its large parts")
        bytes[40] = 4
        let error = #expect(throws: MalformedBytes.self) { try ReplyFrame(decoding: bytes) }
        #expect(error?.description == "outcome 4 is unknown")
    }

    @Test(arguments: Seeds.first(20)) func hostileBytesNeverTrapAndWhatIsReadIsWrittenTheSame(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let valid = [call.encoded(), greeting.encoded()] + replies.map { $0.encoded() }
        var read = 0
        for _ in 0..<1000 {
            var bytes = valid[Int.random(in: 0..<valid.count, using: &random)]
            for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<5, using: &random) {
                case 0: bytes.removeSubrange(place...)
                case 1: bytes.insert(UInt8.random(in: 0...255, using: &random), at: place)
                case 2: bytes[place] = [0, 1, 0x7F, 0x80, 0xFF][Int.random(in: 0..<5, using: &random)]
                case 3: bytes += bytes[place...]
                default: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                }
            }
            // Only that nothing traps counts for what is refused.
            if let frame = try? CallFrame(decoding: bytes) {
                #expect(frame.encoded() == bytes)
                read += 1
            }
            if let frame = try? ReplyFrame(decoding: bytes) {
                #expect(frame.encoded() == bytes)
                read += 1
            }
            if let frame = try? HostGreeting(decoding: bytes) { #expect(frame.encoded() == bytes) }
        }
        #expect(read > 0, "the mutations leave nothing readable and test too little")
    }

    @Test func theFingerprintTellsCallsApart() {
        let variants: [(inout CallFrame) -> Void] = [
            { $0.method = "other" },
            { $0.arguments = [[1, 2, 4], [], Array(repeating: 7, count: 300)] },
            { $0.arguments = [[], [1, 2, 3], Array(repeating: 7, count: 300)] },
            { $0.arguments = [] },
        ]
        for change in variants {
            var other = call
            change(&other)
            #expect(other.fingerprint != call.fingerprint)
        }
        var retried = call
        retried.firstIncomplete = 78
        #expect(retried.fingerprint == call.fingerprint)
    }
}

struct IdentifierTests {
    @Test func identifiersComeBackFromBytesAndFromText() {
        var random = SeededGenerator(seed: 1)
        for _ in 0..<100 {
            let id = ActorID(random: &random)
            #expect(ActorID(bytes: id.bytes) == id)
            #expect(ActorID(hexadecimal: id.description) == id)
        }
        #expect(ActorID(high: 1, low: 2).description == "00000000000000010000000000000002")
        #expect(ActorID(bytes: [1, 2]) == nil)
        for text in ["", "1", String(repeating: "g", count: 32), String(repeating: "0", count: 33)] {
            #expect(ActorID(hexadecimal: text) == nil)
        }
        #expect(ActorID(hexadecimal: "+" + String(repeating: "1", count: 31)) == nil, "a sign is not a digit")
    }

    @Test func bytesSortAsIdentifiersDo() {
        let ids = [(0, 0), (0, 1), (0, 256), (1, 0), (256, 0), (.max, .max)].map { ActorID(high: $0.0, low: $0.1) }
        #expect(ids == ids.shuffled().sorted())
        #expect(ids.map(\.bytes) == ids.map(\.bytes).shuffled().sorted { $0.lexicographicallyPrecedes($1) })
    }
}
