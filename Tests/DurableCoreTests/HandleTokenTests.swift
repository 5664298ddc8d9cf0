import Distributed
import Foundation
import Testing

@testable import DurableCore

struct HandleTokenTests {
    private let bare = ActorID(high: 1, low: .max)

    private func held(as object: ObjectID?) -> ActorID {
        var id = bare
        id.token = HandleToken { object }
        return id
    }

    @Test func `an identity with a token is the same as the one without`() {
        let held = held(as: nil)
        #expect(held == bare && !(held < bare) && !(bare < held))
        #expect(Set([held, bare]).count == 1)
        #expect(held.description == bare.description && held.bytes == bare.bytes)
        #expect(held.bare.token == nil)
        #expect(ActorError(.died, "gone", actor: held).actor?.token == nil)
    }

    @Test func `an identity is stored as before there were tokens, also one whose token is not passed on`() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        for id in [bare, held(as: nil)] {
            let text = String(decoding: try encoder.encode(id), as: UTF8.self)
            #expect(text == #"{"high":1,"low":18446744073709551615}"#)
            let read = try JSONDecoder().decode(ActorID.self, from: Data(text.utf8))
            #expect(read == bare && read.token == nil)
        }
    }

    @Test func `a token that is passed on is had by who knows it, and is nothing to others`() throws {
        struct Source: HandleTokenSource {
            let known: ObjectID

            func handleToken(_ id: ObjectID) -> HandleToken? { id == known ? HandleToken { id } : nil }
        }
        let owner = ObjectOwner(pid: 3, membership: 5)
        let known = ObjectID(owner: owner, number: 6)
        for (object, isKnown) in [(known, true), (ObjectID(owner: owner, number: 7), false)] {
            let bytes = try JSONEncoder().encode(held(as: object))
            #expect(try JSONDecoder().decode(ActorID.self, from: bytes).token == nil)
            let decoder = JSONDecoder()
            decoder.userInfo[.actorSystemKey] = Source(known: known)
            let read = try decoder.decode(ActorID.self, from: bytes)
            #expect(read == bare)
            #expect(read.token?.export() == (isKnown ? known : nil))
        }
    }

    @Test func `requests for values are read as they were written`() throws {
        let requests: [ObjectRequest] = [
            .fetch(1), .release(2), .cancel(3, recursive: false), .cancel(4, recursive: true), .keep(.max),
        ]
        for request in requests { #expect(try ObjectRequest(decoding: request.encoded()) == request) }
        #expect(throws: MalformedBytes.self) { try ObjectRequest(decoding: [5] + [UInt8](repeating: 0, count: 8)) }
    }
}
