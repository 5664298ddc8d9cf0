import DurableCore
import DurableStore
import Testing

/// Dead letters in a shard.
struct DeadLetterTests {
    private func letter(_ milliseconds: Int64 = 1) -> StoredDeadLetter {
        StoredDeadLetter(
            DeadLetterOrder(
                actor: Sample.actor,
                call: Sample.call(1),
                cause: .signal(number: 11),
                incarnations: [4, 5, 7],
                milliseconds: milliseconds,
                stderrTail: "größer"
            )
        )
    }

    private func frame(_ arguments: [[UInt8]]) -> CallFrame {
        CallFrame(actor: Sample.actor, id: Sample.call(1), firstIncomplete: 1, method: "m", arguments: arguments)
    }

    private func bury(_ call: CallID, _ letter: StoredDeadLetter, of actor: ActorID = Sample.actor) -> WriteSet {
        WriteSet(actor: actor, changes: [.deadLetter(call, letter)])
    }

    @Test func `a dead letter is kept until its actor goes, and replaced by what is known later`() throws {
        let folder = try Folder()
        let other = ActorID(high: 9, low: 9)
        try withShard(folder.shard) { store, _ in
            #expect(try store.deadLetters() == [])
            try store.register(Sample.actor, as: Sample.record, state: nil)
            try store.commit([bury(Sample.call(1), letter()), bury(Sample.call(1), letter(2), of: other)])
            var completed = letter()
            completed.complete(with: frame([[1], [2, 3]]))
            try store.commit([bury(Sample.call(1), completed)])
        }
        try withShard(folder.shard) { store, _ in
            let letters = try store.deadLetters()
            #expect(letters.map(\.actor) == [Sample.actor, other], "oldest first")
            #expect(letters.map(\.call) == [Sample.call(1), Sample.call(1)])
            #expect(letters[0].stored.arguments == [[1], [2, 3]] && letters[0].stored.argumentsBytes == 3)
            #expect(letters[0].stored.method == "m" && letters[1].stored.method == nil)
            #expect(letters[0].stored.cause == "its process was ended by signal 11 (SIGSEGV)")
            #expect(letters[0].stored.incarnations == [4, 5, 7] && letters[0].stored.stderrTail == "größer")
        }
        let read = try ShardReader.read(folder.shard).actors
        #expect(read.map(\.deadLetters.count) == [1] && read.first?.deadLetters.first?.stored.method == "m")
        try withShard(folder.shard) { store, _ in
            try store.commit([WriteSet(actor: Sample.actor, changes: [.removeActor])])
            #expect(try store.deadLetters().map(\.actor) == [other])
        }
    }

    @Test func `an actor that has too many dead letters forgets its oldest, never the new one`() throws {
        let folder = try Folder()
        try withShard(folder.shard) { store, _ in
            let count = Limits.deadLettersMax
            try store.commit((1...count).map { bury(Sample.call(UInt64($0)), letter(Int64(2 * count - $0))) })
            #expect(try store.deadLetters().count == count)
            try store.commit([bury(Sample.call(UInt64(count + 1)), letter(0))])
            let kept = Set(try store.deadLetters().map(\.call.sequence))
            #expect(kept.count == count)
            #expect(kept.contains(UInt64(count + 1)), "its clock may be wrong")
            #expect(!kept.contains(UInt64(count)), "it was the oldest")
        }
    }

    @Test func `arguments that are too large are counted and not kept`() {
        var kept = letter()
        kept.complete(with: frame([[UInt8](repeating: 0, count: Limits.deadLetterArgumentsBytesMax)]))
        #expect(kept.arguments?.count == 1)
        var dropped = letter()
        dropped.complete(with: frame([[UInt8](repeating: 0, count: Limits.deadLetterArgumentsBytesMax), [1]]))
        #expect(dropped.arguments == nil && dropped.method == "m")
        #expect(dropped.argumentsBytes == Limits.deadLetterArgumentsBytesMax + 1)
    }
}
