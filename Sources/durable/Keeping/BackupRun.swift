internal import DurableCore
internal import DurableProcess
internal import DurableStore
internal import DurableSupervisor
internal import Glibc

/// A backup from its beginning to its name.
struct BackupRun {
    private let target: String
    private let manifest: Manifest
    private let actors: Int

    /// - Throws: When anything fails; then nothing is left at the target.
    init(_ source: String, to path: String, patience: Int) throws {
        let directory = try DataDirectory(inUse: source)
        let new = try NewDirectory(path)
        try new.make("supervisor")
        try new.make("shards")
        let milliseconds = DurableStore.WallClock.milliseconds
        try Self.copy(directory, to: new.staging, patience)
        let verified = try VerifyRun(new.staging)
        if let finding = verified.findings.first {
            let more = verified.findings.count > 1 ? " (and \(verified.findings.count - 1) more)" : ""
            throw Failure("\(directory.path) is not sound, nothing was backed up: \(finding)\(more)")
        }
        var files: [Manifest.File] = []
        for file in verified.files {
            let (bytes, checksum) = try FileCopy.run("\(new.staging)/\(file.path)", bytesMax: .max)
            files.append(
                Manifest.File(
                    path: file.path,
                    bytes: bytes,
                    checksum: checksum,
                    epoch: file.epoch,
                    version: file.version
                )
            )
        }
        manifest = Manifest(milliseconds: milliseconds, files: files)
        actors = verified.files.map(\.actors.count).reduce(0, +)
        try Files.write(Array(manifest.text.utf8), to: Manifest.path(in: new.staging))
        try new.place()
        target = new.target
    }

    private static func copy(_ directory: DataDirectory, to staging: String, _ patience: Int) throws {
        let progress = ProgressLine()
        defer { progress.clear() }
        let arguments = ["backup", directory.path, staging, "--in-process", "--patience", "\(patience)"]
        let ending = try Throwaway.run(arguments) { message in
            if case .begins(let path) = message { progress.show("copying  \(path)") }
        }
        switch ending {
        case .finished:
            return
        case .failed(let reason):
            throw Failure(reason)
        case .died(.signalled(signal: SIGALRM, _), _):
            throw Failure(
                "some process holds a shard of \(directory.path) and does not go on: no cut within \(patience) s; "
                    + "nothing was backed up"
            )
        case .died(let status, let file):
            let place = file.map { "\(directory.path)/\($0)" } ?? directory.path
            throw Failure("\(place) broke the process that read it (\(status)); nothing was backed up")
        }
    }

    var text: String {
        let bytes = manifest.files.map(\.bytes).reduce(0, +)
        return "\(target): \(actors) actors with state, \(manifest.files.count) files, \(bytes) bytes, verified\n"
    }
}
