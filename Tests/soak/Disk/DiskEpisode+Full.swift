import DurableActors
import DurableCore
import Glibc

/// Room that is really used up.
extension DiskEpisode {
    /// A small file system, filled by somebody else.
    func fill(_ level: Durability) async throws {
        let scratch = try TrialDirectory()
        let mounted = scratch.file("small")
        guard mkdir(mounted, 0o700) == 0, mount("soak", mounted, "tmpfs", 0, "size=8m,mode=0700") == 0 else {
            throw LaneError("no tmpfs can be mounted: \(String(cString: strerror(errno)))")
        }
        defer { umount2(mounted, Int32(MNT_DETACH)) }
        let runtime = try await ActorRuntime.start(directory: "\(mounted)/data")
        let filler = "\(mounted)/filler"
        try await underLoad(of: runtime, level) { [self] book in
            let written = Self.fill(filler)
            if written == 0 { throw LaneError("nothing could be filled") }
            await refuses(book, 1 << 20)
            do {
                let one = try await runtime.spawn(Passbook.self, options: Self.options(.disk))
                see("created on a full disk")
                try await runtime.kill(one)
            } catch let error as ActorError where PassbookWitness.refusals.contains(error.code) {
                see("creation told \(error.code)")
            } catch {
                violate("who created an actor was told: \(error)")
            }
        } lift: {
            unlink(filler)
        }
        await runtime.shutdown()
    }

    /// A limit for the files of one worker.
    func limitSize(_ level: Durability) async throws {
        let worker = LimitedProcess()
        try await underLoad(of: runtime, level) { [self] book in
            worker.pid = try await book.processID()
            try worker.limit(RLIMIT_FSIZE, to: 64 << 10)
            await refuses(book, 1 << 20)
        } lift: {
            try worker.free(RLIMIT_FSIZE)
        }
    }

    /// A change that is too large for what is left.
    private func refuses(_ book: Passbook, _ bytes: Int) async {
        do {
            _ = try await book.pad(bytes)
            violate("\(bytes) bytes were stored where there was no room")
        } catch let error as ActorError where error.code == .storageFull || error.code == .storageFailed {
            see("told \(error.code)")
            bite(1)
        } catch {
            violate("who stored what has no room was told: \(error)")
        }
    }

    private static func fill(_ path: String) -> Int {
        let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { return 0 }
        defer { close(file) }
        var written = 0
        for size in [64 << 10, 4096, 1] {
            let bytes = [UInt8](repeating: 7, count: size)
            while write(file, bytes, size) == size { written += size }
        }
        return written
    }
}
