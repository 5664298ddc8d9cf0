import DurableActors
import DurableSupervisor
import Foundation
import Glibc
import Testing

/// What a process of another user can do on the same machine: nothing, also where modes have been loosened by hand.
@Suite(.serialized, .timeLimit(.minutes(2))) struct OtherUserTests {
    /// Says of each path what a process of this user gets: `opened` or `denied` for files; for sockets `denied`,
    /// `closed` when the other side ends the connection at once, or `waits` when it waits for a greeting.
    private static let visitor = """
        import os, select, socket, stat, sys
        user = int(sys.argv[1])
        kinds = [stat.S_ISSOCK(os.lstat(path).st_mode) for path in sys.argv[2:]]
        if user: os.setgroups([]); os.setgid(user); os.setuid(user)
        for path, is_socket in zip(sys.argv[2:], kinds):
            try:
                if not is_socket:
                    os.close(os.open(path, os.O_RDONLY)); print('opened'); continue
                s = socket.socket(socket.AF_UNIX); s.connect(path)
                ready, _, _ = select.select([s], [], [], 0.5 if user == 0 else 20)
                try: print('closed' if ready and s.recv(1) == b'' else 'heard' if ready else 'waits')
                except ConnectionResetError: print('closed')
            except PermissionError: print('denied')
        """

    private func visits(_ paths: [String], as user: Int) async throws -> [String] {
        let program = try await Program.run(["python3", "-c", Self.visitor, "\(user)"] + paths)
        try #require(program.code == 0, "\(program.errors)")
        return program.output.split(separator: "\n").map(String.init)
    }

    @Test func `another user reaches no file and no socket, and with loosened modes no supervisor, worker or owner`()
        async throws
    {
        try #require(geteuid() == 0, "this test needs root: its visitor becomes another user")
        let scratch = ScratchDirectory()
        chmod(scratch.path, 0o755)
        try await ActorRuntime.withRuntime(directory: scratch.file("data")) { runtime in
            let counter = try await runtime.spawn(Counter.self)
            #expect(try await counter.add(1) == 1)
            let vault = try await runtime.spawn(Vault.self, "")
            let load = try runtime.put([UInt8](repeating: 1, count: 1 << 20))
            #expect(try await vault.weigh(load) == 1 << 20)
            let layout = RuntimeLayout(directory: runtime.directory)
            let object = try #require(RuntimeDirectory.entries(of: layout.objects).first)
            let sockets = [layout.socket, layout.shardSocket(1), "\(layout.objects)/\(object)"]
            let files = ["\(layout.shard(1))/data.mdb", "\(layout.supervisor)/data.mdb", "\(layout.supervisor)/log"]
            let all = sockets + files
            let supervisor = try #require(runtime.supervisorProcessID)
            let worker = try await runtime.process(of: counter)

            #expect(try await visits(all, as: 65534) == all.map { _ in "denied" })
            for (path, _, isDirectory) in try FileModes.all(in: runtime.directory)
            where isDirectory || path.hasSuffix("socket") {
                chmod(path, 0o777)
            }
            for socket in sockets { chmod(socket, 0o777) }
            #expect(try await visits(sockets, as: 65534) == sockets.map { _ in "closed" })
            #expect(try await visits(files, as: 65534) == files.map { _ in "denied" })
            // The same visit by the owner: it is the user that makes the difference.
            let welcomed = try await visits(sockets, as: 0)
            #expect(welcomed.count == sockets.count && !welcomed.contains("closed"), "\(welcomed)")
            #expect(try await counter.add(1) == 2)
            #expect(runtime.supervisorProcessID == supervisor)
            #expect(try await runtime.process(of: counter) == worker)
        }
    }

    @Test func `a driver of another user is refused by the directory, and changes nothing`() async throws {
        try #require(geteuid() == 0, "this test needs root: its driver becomes another user")
        let scratch = ScratchDirectory()
        chmod(scratch.path, 0o755)
        try await ActorRuntime.withRuntime(directory: scratch.file("data")) { runtime in
            let counter = try await runtime.spawn(Counter.self)
            #expect(try await counter.add(1) == 1)
            chmod(runtime.directory, 0o755)
            let driver = try Program.built("ActorTestDriver")
            // Started by root, because the other user may not reach the program's directory.
            let become =
                "import os, sys; image = os.open(sys.argv[1], os.O_PATH); os.set_inheritable(image, True); "
                + "os.setgroups([]); os.setgid(65534); os.setuid(65534); "
                + "os.execve('/proc/self/fd/%d' % image, sys.argv[1:], os.environ)"
            let program = try await Program.run(["python3", "-c", become, driver, runtime.directory, "owned", "1"])
            #expect(program.code != 0)
            #expect(program.errors.contains("belongs to user 0, this process runs as user 65534"), "\(program.errors)")
            #expect(try await counter.add(1) == 2)
        }
    }
}
