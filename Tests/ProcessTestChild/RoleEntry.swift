internal import DurableCore
internal import DurableProcess
internal import Foundation
internal import Glibc
internal import Synchronization

/// What the program does in a role: the scenario that its first argument names, reported over the control socket.
@_cdecl("durable_role_entry")
func enterRole(_ role: Int32, _ controlSocket: Int32) {
    let arguments = CommandLine.arguments
    let report = Report(descriptor: controlSocket)
    do {
        switch arguments.count > 1 ? arguments[1] : "" {
        case "return": return
        case "surroundings": reportSurroundings(role, to: report)
        case "runtime": try reportRuntime(to: report)
        case "descriptors": OpenDescriptors.list().forEach { report.line($0.description) }
        case "churn": try churn(Int(arguments[2]) ?? 0, to: report)
        case "orphans": try reapOrphans(to: report)
        case "contend": try contend(to: report)
        case "page": try countOnPage(to: report)
        case "notes": try noteWithoutEnd(to: report)
        case "spawn-and-die": try spawnAndDie(to: report)
        case "fault": passFault(arguments[2], to: report)
        default: report.line("no such scenario")
        }
        report.line("done")
        exit(0)
    } catch {
        report.line("failed: \(error)")
        exit(1)
    }
}

struct Report: Sendable {
    var descriptor: Int32

    func line(_ text: String) {
        let bytes = Array((text + "\n").utf8)
        _ = write(descriptor, bytes, bytes.count)
    }
}

/// Passes a point three times, with a fault armed at the second.
private func passFault(_ text: String, to report: Report) {
    guard let fault = FaultSpecification(text) else { return report.line("no such fault") }
    let faults = FaultInjector([fault])
    for _ in 1...3 {
        let start = ContinuousClock.now
        let isAllowed = faults.passes(fault.point, incarnation: 1)
        let isLate = ContinuousClock.now - start >= FaultSpecification.delay
        report.line("\(isAllowed ? "passed" : "left out")\(isLate ? " late" : "")")
    }
}

private func reportSurroundings(_ role: Int32, to report: Report) {
    report.line("role \(SpawnConfiguration.Role(entryNumber: role)?.rawValue ?? "none")")
    let environment = ProcessInfo.processInfo.environment
    for name in environment.keys.sorted() where name.hasPrefix("DURABLE_") || name == "SWIFT_BACKTRACE" {
        report.line("\(name)=\(environment[name] ?? "")")
    }
    for signal in [SIGPIPE, SIGXFSZ, SIGTERM, SIGUSR1] {
        var action = sigaction()
        sigaction(signal, nil, &action)
        let isIgnored = unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
        report.line("signal \(signal) \(isIgnored ? "ignored" : "not ignored")")
    }
    var blocked = sigset_t()
    sigprocmask(SIG_BLOCK, nil, &blocked)
    report.line("blocked \((1...64).filter { sigismember(&blocked, Int32($0)) == 1 })")
    var cores = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &cores)
    report.line("cores \(cores.rlim_cur) \(cores.rlim_max)")
    report.line("umask \(String(umask(0o077), radix: 8))")
    report.line("leads \(getsid(0) == getpid() && getpgrp() == getpid())")
    report.line("control close-on-exec \(fcntl(report.descriptor, F_GETFD) & FD_CLOEXEC != 0)")
}

/// Starts and kills processes, and looks for what they left behind in this one.
private func churn(_ count: Int, to report: Report) throws {
    var configuration = SpawnConfiguration(image: try .open(path: "/bin/sleep"), arguments: ["sleep", "1000"])
    let broken = SpawnConfiguration(image: try .open(path: "/etc/passwd"))
    let before = OpenDescriptors.list()
    for _ in 0..<count {
        let pair = try SocketPair()
        configuration.controlSocket = pair.remote
        let child = try ProcessHandle.spawn(configuration)
        child.kill()
        guard child.waitUntilEnded(for: .seconds(10)), child.reap() == .signalled(signal: SIGKILL, coreDumped: false)
        else { return report.line("a child did not die as told") }
        if let wrong = try? ProcessHandle.spawn(broken) { return report.line("started a text file as \(wrong.pid)") }
    }
    report.line("leaked \(Set(OpenDescriptors.list()).subtracting(before))")
    var information = siginfo_t()
    let result = waitid(P_ALL, 0, &information, WEXITED | WNOHANG | WNOWAIT)
    report.line("children left \(result != -1 || errno != ECHILD)")
}

/// Leaves an orphan behind a zombie that somebody watches.
private func reapOrphans(to report: Report) throws {
    try OrphanReaper.becomeSubreaper()
    let sleep = SpawnConfiguration(image: try .open(path: "/bin/sleep"), arguments: ["sleep", "1000"])
    let watched = try ProcessHandle.spawn(sleep)
    watched.kill()
    guard watched.waitUntilEnded(for: .seconds(10)) else { return report.line("the watched child lives") }

    let pair = try SocketPair()
    var shell = SpawnConfiguration(
        image: try .open(path: "/bin/sh"),
        arguments: ["sh", "-c", "sleep 1000 & echo $!; sleep 1000 & echo $!"]
    )
    shell.standardOutput = pair.remote
    let parent = try ProcessHandle.spawn(shell)
    guard parent.waitUntilEnded(for: .seconds(10)), parent.reap() == .exited(code: 0) else {
        return report.line("the shell failed")
    }
    var buffer = [UInt8](repeating: 0, count: 256)
    let count = read(pair.local, &buffer, buffer.count)
    let text = String(decoding: buffer[..<max(0, count)], as: UTF8.self)
    let orphans = text.split(separator: "\n").compactMap { Int32($0) }
    guard orphans.count == 2 else { return report.line("the shell told \(orphans)") }
    for orphan in orphans {
        kill(orphan, SIGKILL)
        var information = siginfo_t()
        waitid(P_PID, id_t(orphan), &information, WEXITED | WNOWAIT)
    }
    let killed = ExitStatus.signalled(signal: SIGKILL, coreDumped: false)
    let first = OrphanReaper.reapOrphans(except: [orphans[1]])
    report.line("first \(first == [ReapedOrphan(pid: orphans[0], status: killed)])")
    let second = OrphanReaper.reapOrphans()
    report.line("second \(second == [ReapedOrphan(pid: orphans[1], status: killed)])")
    report.line("third \(OrphanReaper.reapOrphans().isEmpty)")
    report.line("watched \(watched.reap() == killed)")
    // With no watched zombie in front, the short way is taken.
    let dropped = try ProcessHandle.spawn(sleep).pid
    kill(dropped, SIGKILL)
    var information = siginfo_t()
    waitid(P_PID, id_t(dropped), &information, WEXITED | WNOWAIT)
    report.line("dropped \(OrphanReaper.reapOrphans() == [ReapedOrphan(pid: dropped, status: killed)])")
}

/// Reaps orphans all the time while children that somebody watches end at once.
private func contend(to report: Report) throws {
    final class Flag: Sendable { let isSet = Atomic(false) }
    let isDone = Flag()
    let failing = SpawnConfiguration(image: try .open(path: "/bin/false"))
    let reaper = DispatchGroup()
    DispatchQueue.global().async(group: reaper) {
        while !isDone.isSet.load(ordering: .acquiring) { OrphanReaper.reapOrphans() }
    }
    var stolen = 0
    for _ in 0..<300 {
        let child = try ProcessHandle.spawn(failing)
        if !child.waitUntilEnded(for: .seconds(10)) || child.reap() != .exited(code: 1) { stolen += 1 }
    }
    isDone.isSet.store(true, ordering: .releasing)
    reaper.wait()
    report.line("stolen \(stolen)")
}

/// Counts on the page that came as standard output, until killed.
private func countOnPage(to report: Report) throws {
    let page = try WorkerPage(adopting: dup(STDOUT_FILENO))
    for _ in 0..<41 { page.addTurnsCompleted() }
    page.addTurnsCompleted(959)
    page.heartbeat = 123_456_789
    page.job = .max
    report.line("counted, shrinking \(ftruncate(STDOUT_FILENO, 0) == 0 ? "worked" : "refused")")
    while true { pause() }
}

/// Writes and clears one note after the other, all of whose numbers are the same, until killed.
private func noteWithoutEnd(to report: Report) throws {
    let page = try WorkerPage(adopting: dup(STDOUT_FILENO))
    report.line("noting")
    var number: UInt64 = 0
    while true {
        number += 1
        let actor = ActorID(high: number, low: number)
        let call = CallID(session: SessionID(high: number, low: number), sequence: number)
        page.note(.call(actor, call), job: number, at: Int(number % 2))
        if number.isMultiple(of: 3) { page.clearNote(at: Int(number % 2)) }
    }
}

private func spawnAndDie(to report: Report) throws {
    var configuration = SpawnConfiguration(image: try .open(path: "/bin/sleep"), arguments: ["sleep", "1000"])
    configuration.environment = ["LIVES": "on"]
    let child = try ProcessHandle.spawn(configuration)
    report.line("\(child.pid) \(child.startTime)")
    kill(getpid(), SIGKILL)
}
