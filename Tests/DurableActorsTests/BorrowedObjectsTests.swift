import DurableCore
import DurableTransport
import Glibc
import Synchronization
import Testing

@testable import DurableActors

/// What one process has of another's values, with an owner that misbehaves.
@Suite(.serialized) struct BorrowedObjectsTests {
    @Test func `a connection that breaks while the owner lives is made again, and everything fetched again`()
        async throws
    {
        let scratch = ScratchDirectory()
        let loop = try EventLoop(name: "test")
        loop.start()
        defer { loop.stop() }
        let listener = try Listener.bind(path: scratch.file("socket"))
        let fetches = Mutex<[UInt64]>([])
        try listener.accept(on: loop, hello: { Hello(role: ConnectionRole.owner.rawValue) }) { _ in
            ConnectionHandler(received: { connection, frame, _ in
                guard case .fetch(let number)? = try? ObjectRequest(decoding: frame.payload) else { return }
                let count = fetches.withLock { fetches in
                    fetches.append(number)
                    return fetches.count
                }
                guard count > 5 else { return connection.close() }
                let answer = ObjectAnswer(number: number, outcome: .returned([UInt8(number)]))
                _ = connection.send(Frame(kind: FrameKind.contents, payload: answer.encoded()))
            })
        }
        let borrowed = BorrowedObjects(loop: loop, lease: .milliseconds(1)) { _ in scratch.file("socket") }
        let owner = ObjectOwner(pid: getpid(), membership: 1)
        let objects = (1...3).map { borrowed.object(ObjectID(owner: owner, number: $0)) }
        try await eventually("all have come") {
            objects.filter(\.contents.isSettled).count
        } is: {
            $0 == 3
        }
        for (number, object) in zip(1..., objects) {
            guard case .success(.outcome(.returned(let bytes)))? = object.contents.outcome else {
                Issue.record("object \(number) is \(String(describing: object.contents.outcome))")
                continue
            }
            #expect(bytes == [UInt8(number)])
        }
        listener.close()
        borrowed.stop(ActorError(.runtimeStopped, "over"))
    }

    @Test func `an owner that has ended is known to have, and the next reference to it fails as well`() async throws {
        let scratch = ScratchDirectory()
        let loop = try EventLoop(name: "test")
        loop.start()
        defer { loop.stop() }
        let borrowed = BorrowedObjects(loop: loop, lease: .milliseconds(1)) { _ in scratch.file("socket") }
        let owner = ObjectOwner(pid: getpid(), membership: 1)
        for number in 1...2 {
            let object = borrowed.object(ObjectID(owner: owner, number: UInt64(number)))
            try await eventually("it has failed") {
                object.contents.isSettled
            } is: {
                $0
            }
            #expect(try object.contents.outcome?.get().isFailure == true)
        }
        #expect(borrowed.ownerCount == 0)
    }

    @Test func `names of owners are read back, and others are none`() {
        for owner in [ObjectOwner(pid: 1, membership: 1), ObjectOwner(pid: 4_194_304, membership: .max)] {
            #expect(ObjectOwner(socketName: owner.socketName) == owner)
            #expect(owner.socketName.utf8.count <= 13)
        }
        for name in ["", "-", "1", "1-", "-1", "1-1-1", "ö-1", "zzzzzzzzz-1", "1-zzzzzzzz"] {
            #expect(ObjectOwner(socketName: name) == nil)
        }
    }
}
