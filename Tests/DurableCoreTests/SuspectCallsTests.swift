import DurableCore
import Testing

struct SuspectCallsTests {
    private let call = Suspect.call(ActorID(high: 1, low: 1), CallID(session: SessionID(high: 7, low: 7), sequence: 1))
    private let other = Suspect.call(ActorID(high: 1, low: 1), CallID(session: SessionID(high: 7, low: 7), sequence: 2))
    private let start = Suspect.start(ActorID(high: 1, low: 1))

    @Test func `a call is convicted by the third crash of its worker, with the lives that it ended`() {
        var suspects = SuspectCalls()
        #expect(suspects.crashed([call], incarnation: 4, lifetime: .zero) == [])
        #expect(suspects.crashed([call], incarnation: 5, lifetime: .zero) == [])
        let convictions = suspects.crashed([call], incarnation: 9, lifetime: .seconds(1000))
        #expect(convictions.map(\.suspect) == [call])
        #expect(convictions.map(\.incarnations) == [[4, 5, 9]])
        #expect(suspects.count == 0, "what was convicted is not under suspicion any more")
    }

    @Test func `the actor's options say how many crashes convict a call, and never its start`() {
        var suspects = SuspectCalls()
        for incarnation: Incarnation in 1...100 {
            let convictions = suspects.crashed([call], incarnation: incarnation, lifetime: .zero) { _ in .unlimited }
            #expect(convictions == [])
        }
        let first = suspects.crashed([other, start], incarnation: 101, lifetime: .zero) { _ in 1 }
        #expect(first.map(\.suspect) == [other])
        #expect(suspects.crashed([start], incarnation: 102, lifetime: .zero) { _ in .unlimited } == [])
        #expect(suspects.crashed([start], incarnation: 103, lifetime: .zero) { _ in .unlimited }.count == 1)
    }

    @Test func `two calls that crash in turns are both convicted by their own third crash`() {
        var suspects = SuspectCalls()
        for incarnation: Incarnation in 1...4 {
            let blamed = incarnation % 2 == 1 ? call : other
            #expect(suspects.crashed([blamed], incarnation: incarnation, lifetime: .zero) == [])
        }
        #expect(suspects.crashed([call], incarnation: 5, lifetime: .zero).map(\.suspect) == [call])
        #expect(suspects.crashed([other], incarnation: 6, lifetime: .zero).map(\.suspect) == [other])
    }

    @Test func `a crash that is reported twice counts once`() {
        var suspects = SuspectCalls()
        for _ in 0..<5 { #expect(suspects.crashed([call, call], incarnation: 1, lifetime: .zero) == []) }
        #expect(suspects.crashed([call], incarnation: 2, lifetime: .zero) == [])
        #expect(suspects.crashed([call], incarnation: 3, lifetime: .zero).count == 1)
    }

    @Test func `an actor that starts, or a long life that ends otherwise, acquits its start and no call`() {
        for acquittal in [true, false] {
            var suspects = SuspectCalls()
            for incarnation: Incarnation in 1...2 {
                _ = suspects.crashed([start, call], incarnation: incarnation, lifetime: .zero)
            }
            if acquittal {
                suspects.started(start.actor)
            } else {
                _ = suspects.crashed([other], incarnation: 3, lifetime: Limits.healthyLifetime)
            }
            let convictions = suspects.crashed([start, call], incarnation: 4, lifetime: .zero)
            #expect(convictions.map(\.suspect) == [call], "acquitted by \(acquittal ? "a start" : "a long life")")
        }
    }

    @Test func `who reads records is to blame before all others, and no start acquits it`() {
        let (reader, waiting) = (ActorID(high: 1, low: 1), ActorID(high: 1, low: 2))
        let notes = [
            CrashScene.Note(.start(waiting), job: 7), CrashScene.Note(.records(reader), job: 0),
            CrashScene.Note(.start(reader), job: 0),
        ]
        #expect(CrashScene(notes: notes, job: 7).blamed == [.records(reader)])
        #expect(CrashScene(notes: notes, job: 0).blamed == [.records(reader)])
        var suspects = SuspectCalls()
        var convictions: [SuspectCalls.Conviction] = []
        for life: Incarnation in 1...3 {
            #expect(convictions.isEmpty)
            convictions = suspects.crashed([.records(reader)], incarnation: life, lifetime: .seconds(1))
            suspects.started(reader)
        }
        #expect(convictions.map(\.suspect) == [.records(reader)] && convictions.first?.incarnations == [1, 2, 3])
    }

    @Test func `a short life that ends otherwise does not acquit a start`() {
        var suspects = SuspectCalls()
        _ = suspects.crashed([start], incarnation: 1, lifetime: .zero)
        _ = suspects.crashed([start], incarnation: 2, lifetime: .zero)
        _ = suspects.crashed([other], incarnation: 3, lifetime: .zero)
        #expect(suspects.crashed([start], incarnation: 4, lifetime: .seconds(60)).map(\.suspect) == [start])
    }

    @Test func `the number of suspects is bounded, and the one that crashed longest ago is forgotten`() {
        var suspects = SuspectCalls()
        let session = SessionID(high: 1, low: 1)
        let calls = (1...UInt64(Limits.suspectsMax + 1)).map {
            Suspect.call(start.actor, CallID(session: session, sequence: $0))
        }
        for incarnation: Incarnation in 1...2 {
            for call in calls { _ = suspects.crashed([call], incarnation: incarnation, lifetime: .zero) }
        }
        #expect(suspects.count == Limits.suspectsMax)
        #expect(suspects.crashed([calls[0]], incarnation: 3, lifetime: .zero) == [], "it was forgotten each time")
    }

    @Test func `the turn that was executing is to blame, and those that waited are not`() {
        var scene = CrashScene(notes: [.init(call, job: 10), .init(other, job: 20), .init(start, job: 30)], job: 20)
        #expect(scene.blamed == [other])
        for unknown: UInt64 in [0, 99] {
            scene.job = unknown
            #expect(scene.blamed == [call, other, start], "job \(unknown) is nobody's")
        }
        #expect(CrashScene(notes: [], job: 20).blamed == [])
        #expect(CrashScene(notes: [.init(call, job: 0)], job: 0).blamed == [call])
    }

    @Test(arguments: [
        (DeathCause.signal(number: 4), true), (.signal(number: 5), true), (.signal(number: 6), true),
        (.signal(number: 7), true), (.signal(number: 8), true), (.signal(number: 11), true),
        (.signal(number: 31), true), (.signal(number: 9), false), (.signal(number: 15), false),
        (.signal(number: 2), false), (.signal(number: 1), false), (.exit(code: 0), true), (.exit(code: 3), true),
        (.outOfMemory, true), (.killed, false), (.fenced, false), (.unresponsive, false), (.unknown, false),
    ]) func `what a process does to itself is a crash, what is done to it is not`(cause: DeathCause, isCrash: Bool) {
        #expect(cause.isCrash == isCrash)
    }
}
