import ArgumentParser
import DurableChaos
import DurableProcess
import DurableSupervisor
import Glibc

/// Real power cuts, as far as a file system can tell: ext4 is shut down under a runtime at work.
struct PowerCuts: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "power-cuts",
        abstract: "Shuts an ext4 file system down under a runtime at work, mounts it again, and looks what is left."
    )

    @Option(help: "How often the power goes.")
    var cuts = 50

    @Flag(help: "Leave the lane out, and say so: it needs root, loop devices and mounts.")
    var withoutRoot = false

    @OptionGroup var options: LaneOptions

    func validate() throws {
        guard cuts > 0 else { throw ValidationError("--cuts must be positive") }
    }

    func run() async throws {
        if withoutRoot {
            StandardError.write("power-cuts: LEFT OUT, as --without-root says; no power was cut\n")
            return
        }
        guard let scratch = Enclosure.directory else {
            guard geteuid() == 0 else {
                throw LaneError("power-cuts needs root, a loop device and mount(8); leave it out with --without-root")
            }
            try Enclosure.run()
        }
        var result = LaneResult(lane: "power-cuts", unit: "cuts", wanted: cuts, seed: options.seed)
        var progress = Progress("cuts", of: cuts)
        var generator = SeededGenerator(seed: options.seed)
        let lane = try CutLane(scratch: scratch)
        // A few cuts need not have all of them.
        let expected = cuts >= 20 ? ["journal lost", "journal written", ".process changes lost"] : []
        for kind in expected { result.faults[kind] = 0 }
        while result.trials < cuts, result.violations.count < 20 {
            Enclosure.endIfOrphaned()
            let flushesLog = Int.random(in: 0..<4, using: &generator) == 0
            let delay = Int.random(in: 10...400, using: &generator)
            // In half of the cuts the kernel has written something back, from a moment to some calls before.
            let writtenBack = Bool.random(using: &generator) ? Int.random(in: 0...delay, using: &generator) : nil
            // Where snapshots are rare, the file itself is the newest that there is.
            let snapshots = [40, 40, 3000][Int.random(in: 0..<3, using: &generator)]
            do {
                try lane.cut(after: delay, writtenBack: writtenBack, snapshots: snapshots, flushesLog: flushesLog)
            } catch {
                result.violations.append("after cut \(result.trials), seed \(options.seed): \(error)")
                break
            }
            result.trials += 1
            result.faults[flushesLog ? "journal written" : "journal lost", default: 0] += 1
            result.violations += lane.takeFindings().map { "before cut \(result.trials), seed \(options.seed): \($0)" }
            progress.show(result.trials, "\(lane.ledger[.acknowledged]) calls")
        }
        if result.violations.isEmpty { try lane.look() }
        result.violations += lane.takeFindings().map { "after cut \(result.trials), seed \(options.seed): \($0)" }
        result.calls = lane.ledger[.acknowledged] + CutLedger.slotCount * result.trials
        result.acknowledged = lane.ledger[.acknowledged]
        let counted: [(String, CutLedger.Counter)] = [
            (".process changes lost", .lost), (".process files kept", .kept),
            (".process files replaced by a snapshot", .fallenBack), (".process refused before a snapshot", .refused),
            ("creations cut short", .unborn),
        ]
        for (name, counter) in counted where lane.ledger[counter] > 0 { result.faults[name] = lane.ledger[counter] }
        result.seconds = progress.seconds
        try result.conclude(options)
    }
}

/// One disk, and one cut after the other.
private final class CutLane {
    let ledger: CutLedger
    private let scratch: String
    private let disk: LoopDisk
    private var shown = 0

    private var directory: String { "\(disk.path)/data" }
    private var findings: String { "\(scratch)/findings" }

    init(scratch: String) throws {
        self.scratch = scratch
        ledger = try CutLedger(path: "\(scratch)/ledger")
        disk = try LoopDisk(in: scratch)
        try disk.mount()
        try disk.unmount()
    }

    /// Looks at what is there, works, and cuts the power.
    /// - Parameters:
    ///   - delay: Milliseconds of work.
    ///   - writtenBack: The millisecond in which the kernel writes everything back; `nil` for never.
    ///   - snapshots: Milliseconds between snapshots.
    func cut(after delay: Int, writtenBack: Int?, snapshots: Int, flushesLog: Bool) throws {
        try remount()
        ledger[.phase] = 0
        let driver = try start(["--snapshots", "\(snapshots)"])
        let end = ContinuousClock.now + .seconds(120)
        while ledger[.phase] == 0 {
            if let status = driver.reap() { throw failure("the driver ended by \(status)") }
            guard ContinuousClock.now < end else { throw failure("what the cut has left is not served within 120 s") }
            usleep(1000)
        }
        let before = writtenBack ?? delay
        usleep(UInt32(before * 1000))
        if writtenBack != nil { try disk.writeBack() }
        usleep(UInt32((delay - before) * 1000))
        try disk.cutPower(flushesLog: flushesLog)
        Enclosure.endProcesses(of: scratch)
        _ = driver.waitUntilEnded(for: .seconds(10))
        _ = driver.reap()
        try disk.unmount()
    }

    /// Looks at what is there, and ends.
    func look() throws {
        try remount()
        let driver = try start(["--only-looks"])
        guard driver.waitUntilEnded(for: .seconds(120)), driver.reap() == .exited(code: 0) else {
            throw failure("what the last cut has left is not served")
        }
        Enclosure.endProcesses(of: scratch)
        try disk.unmount()
        try disk.check()
    }

    func takeFindings() -> [String] {
        let lines = (SmallFile.text(findings) ?? "").split(separator: "\n").map(String.init)
        defer { shown = lines.count }
        return Array(lines.dropFirst(shown))
    }

    private func failure(_ what: String) -> LaneError {
        LaneError(([what] + takeFindings()).joined(separator: "; "))
    }

    private func start(_ arguments: [String]) throws -> ProcessHandle {
        try Child.start(
            ["cut-load", "--directory", directory, "--ledger", "\(scratch)/ledger", "--findings", findings] + arguments
        )
    }

    /// Writes the journal back, looks whether the file system is sound, and mounts it for use.
    private func remount() throws {
        try disk.mount()
        try disk.unmount()
        try disk.check()
        try disk.mount()
        pretendRestart()
    }

    /// The machine has not started again, so the shards' markers are made to name another run of it.
    private func pretendRestart() {
        for shard in RuntimeDirectory.entries(of: "\(directory)/shards").map({ "\(directory)/shards/\($0)" }) {
            for name in RuntimeDirectory.entries(of: shard) where name.hasPrefix("damaged-") {
                unlink("\(shard)/\(name)")
            }
            let descriptor = open("\(shard)/unsynced", O_WRONLY | O_TRUNC | O_CLOEXEC)
            guard descriptor >= 0 else { continue }
            _ = "before the cut\n".withCString { write(descriptor, $0, strlen($0)) }
            fsync(descriptor)
            close(descriptor)
        }
    }
}
