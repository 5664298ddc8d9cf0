import DurableChaos
import Testing

@testable import DurableTransport

extension TransportTests {
    @Suite struct FrameReaderTests {
        /// Feeds bytes in pieces and returns the frames.
        private func frames(_ pieces: [[UInt8]], limit: Int = 1 << 20) throws -> (frames: [Frame], reader: FrameReader)
        {
            var reader = FrameReader(frameBytesMax: limit)
            var result: [Frame] = []
            for piece in pieces {
                try piece.withUnsafeBytes { bytes in
                    var offset = 0
                    while let frame = try reader.next(in: bytes, offset: &offset) { result.append(frame) }
                    #expect(offset == bytes.count)
                }
            }
            return (result, reader)
        }

        @Test func `frames come out the same however their bytes are split`() throws {
            let seed = testSeed()
            var random = SeededGenerator(seed: seed)
            for _ in 0..<200 {
                let sent = (0..<Int.random(in: 1...12, using: &random)).map { _ in
                    Frame(
                        kind: UInt8.random(in: 0...255, using: &random),
                        payload: random.bytes(Int.random(in: 0...300, using: &random))
                    )
                }
                var stream = sent.flatMap { wire($0.kind, $0.payload) }[...]
                var pieces: [[UInt8]] = []
                while !stream.isEmpty {
                    let count = Int.random(in: 1...40, using: &random)
                    pieces.append(Array(stream.prefix(count)))
                    stream = stream.dropFirst(count)
                }
                let (received, reader) = try frames(pieces)
                #expect(received == sent, "seed \(seed)")
                #expect(!reader.isInsideFrame, "seed \(seed)")
            }
        }

        @Test func `a frame of exactly the limit passes and one byte more is refused by its header alone`() throws {
            let (received, _) = try frames([wire(1, [UInt8](repeating: 7, count: 99))], limit: 100)
            #expect(received.count == 1)
            let error = #expect(throws: TransportError.self) { try frames([[101, 0, 0, 0]], limit: 100) }
            #expect(error?.code == .frameTooLarge)
        }

        @Test func `a length of zero is refused before its kind arrives`() throws {
            let error = #expect(throws: TransportError.self) { try frames([[0, 0, 0, 0]]) }
            #expect(error?.code == .protocolViolation)
        }

        @Test func `the largest length a header can declare does not reserve memory`() throws {
            let (received, reader) = try frames([[255, 255, 255, 255, 1, 42]], limit: .max)
            #expect(received.isEmpty)
            #expect(reader.isInsideFrame)
            #expect(reader.missingBytes == Int(UInt32.max) - 2)
        }

        @Test func `what is missing from a frame under way is told in words`() throws {
            #expect(try frames([[9, 0]]).reader.progress == "2 of 5 header bytes")
            #expect(try frames([[9, 0, 0, 0, 1, 1, 2, 3]]).reader.progress == "3 of 8 payload bytes")
        }
    }
}
