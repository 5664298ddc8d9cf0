import DurableChaos
import Foundation
import Testing

@testable import DurableTransport

extension TransportTests {
    @Suite struct DescriptorTests {
        /// Makes a file whose content is its name.
        private func file(_ content: String) -> Int32 {
            let fd = memfd(content)
            #expect(write(fd, content, content.utf8.count) == content.utf8.count)
            return fd
        }

        private func memfd(_ name: String) -> Int32 {
            var template = Array("/tmp/dt-file-XXXXXX".utf8CString)
            let fd = mkstemp(&template)
            unlink(template)
            return fd
        }

        private func content(_ descriptor: OwnedDescriptor) -> String {
            var buffer = [UInt8](repeating: 0, count: 100)
            let count = pread(descriptor.value, &buffer, buffer.count, 0)
            return String(decoding: buffer[..<max(0, count)], as: UTF8.self)
        }

        @Test func `each descriptor arrives with the frame it was sent with, among frames of all sizes`() async throws {
            let seed = testSeed()
            var random = SeededGenerator(seed: seed)
            let directory = try TemporaryDirectory()
            let before = openDescriptors()
            try await withLoops(2) { loops in
                let received = Record<(UInt8, Int, [String])>()
                let listener = try Listener.bind(path: directory.socket())
                try listener.accept(on: loops[0], hello: { Hello(role: 1) }) { _ in
                    ConnectionHandler(received: { _, frame, descriptors in
                        received.append((frame.kind, frame.payload.count, descriptors.map(content)))
                    })
                }
                let peer = Peer()
                let connection = peer.connect(directory.socket(), on: loops[1])
                var sent: [(UInt8, Int, [String])] = []
                for number in 0..<300 {
                    let size = [0, 1, 100, 20_000, 300_000][Int.random(in: 0...4, using: &random)]
                    let names = (0..<Int.random(in: 0...4, using: &random)).map { "\(number).\($0)" }
                    let files = names.map(file)
                    let frame = Frame(kind: UInt8(number % 200 + 1), payload: [UInt8](repeating: 1, count: size))
                    #expect(connection.send(frame, descriptors: files))
                    for file in files { close(file) }
                    sent.append((frame.kind, size, names))
                }
                let all = try await received.wait(for: sent.count)
                for (one, other) in zip(all, sent) { #expect(one == other, "seed \(seed)") }
                connection.close()
                _ = try await peer.closed.wait(for: 1)
            }
            try await eventually("no descriptor is left over", seen: { "\(before) \(openDescriptors())" }) {
                openDescriptors() <= before + 20
            }
        }

        @Test func `a taken descriptor stays open and an untaken one is closed`() throws {
            let fd = file("a")
            var owned: OwnedDescriptor? = OwnedDescriptor(fd)
            #expect(owned?.take() == fd)
            #expect(owned?.take() == -1)
            owned = nil
            #expect(fcntl(fd, F_GETFD) >= 0)
            owned = OwnedDescriptor(fd)
            #expect(owned?.value == fd)
            owned = nil
            #expect(fcntl(fd, F_GETFD) < 0)
        }

        @Test(arguments: [(5, 4), (40, 4), (17, 16), (40, 100)])
        func `more descriptors than a frame may carry are closed and end the connection`(
            count: Int,
            limit: Int
        ) async throws {
            let directory = try TemporaryDirectory()
            let before = openDescriptors()
            var limits = FrameLimits()
            limits.descriptorsPerFrameMax = limit
            try await withLoops(1) { loops in
                let server = try EchoServer(directory.socket(), on: loops[0], limits: limits, keepsFrames: true)
                let client = try RawClient(directory.socket())
                client.write(helloBytes())
                _ = try await server.connections.wait(for: 1)
                try sendRights(client.fd, bytes: wire(3), descriptors: [Int32](repeating: 0, count: count))
                let error = try await server.closed.wait(for: 1)[0]
                #expect(error?.code == .protocolViolation)
                #expect(server.frames.count == 0)
            }
            try await eventually("they are closed") { openDescriptors() <= before + 10 }
        }

        @Test func `descriptors with a Hello are closed and end the connection`() async throws {
            let directory = try TemporaryDirectory()
            try await withLoops(1) { loops in
                let server = try EchoServer(directory.socket(), on: loops[0])
                let client = try RawClient(directory.socket())
                try sendRights(client.fd, bytes: helloBytes(), descriptors: [0])
                let value1 = try await server.refused.wait(for: 1).map(\.code)
                #expect(value1 == [.protocolViolation])
            }
        }

        private func sendRights(_ fd: Int32, bytes: [UInt8], descriptors: [Int32]) throws {
            let dataBytes = descriptors.count * MemoryLayout<Int32>.size
            let headerBytes = MemoryLayout<cmsghdr>.size
            var control = [UInt8](repeating: 0, count: (headerBytes + dataBytes + 7) & ~7)
            control.withUnsafeMutableBytes { raw in
                var header = cmsghdr()
                header.cmsg_len = headerBytes + dataBytes
                header.cmsg_level = SOL_SOCKET
                header.cmsg_type = 1  // SCM_RIGHTS
                raw.storeBytes(of: header, as: cmsghdr.self)
                for (index, descriptor) in descriptors.enumerated() {
                    raw.storeBytes(of: descriptor, toByteOffset: headerBytes + 4 * index, as: Int32.self)
                }
            }
            var bytes = bytes
            let sent = bytes.withUnsafeMutableBytes { data in
                control.withUnsafeMutableBytes { control in
                    var vector = iovec(iov_base: data.baseAddress, iov_len: data.count)
                    return withUnsafeMutablePointer(to: &vector) { vector in
                        var message = msghdr()
                        message.msg_iov = vector
                        message.msg_iovlen = 1
                        message.msg_control = control.baseAddress
                        message.msg_controllen = control.count
                        return sendmsg(fd, &message, 0)
                    }
                }
            }
            try #require(sent == bytes.count)
        }
    }
}
