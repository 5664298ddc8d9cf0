internal import ArgumentParser
internal import CBOR
internal import DurableCore
internal import DurableStore
internal import DurableSupervisor
internal import Glibc

/// Earlier states of an actor.
struct History: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the earlier states of an actor, show what differs between two, or put it back to one.",
        discussion: """
            States are kept for actors whose options say so (ActorOptions.history). Putting an actor back is one \
            commit like any other and can be undone the same way; a worker that has the actor ends at its next call, \
            and the next one begins with the state. Outcomes of calls stay: what was answered is not run again.
            """
    )

    @Argument(help: ArgumentHelp("The data directory.", valueName: "dir"))
    var directory: String

    @Argument(help: ArgumentHelp("The actor.", valueName: "id-or-name"))
    var actor: String

    @Option(parsing: .upToNextOption, help: ArgumentHelp("What differs between two versions.", valueName: "from to"))
    var diff: [UInt64] = []

    @Option(help: ArgumentHelp("Give the actor the state again that it had after this version.", valueName: "version"))
    var backTo: UInt64?

    @Flag(help: "Do not ask.")
    var yes = false

    @Flag(help: "Print JSON lines instead of a table.")
    var json = false

    func validate() throws {
        guard diff.isEmpty || diff.count == 2 else { throw ValidationError("--diff needs two versions") }
        guard diff.isEmpty || backTo == nil else { throw ValidationError("--diff and --back-to exclude each other") }
    }

    func run() throws {
        do {
            let directory = try backTo == nil ? DataDirectory(directory) : DataDirectory(inUse: directory)
            let (record, host) = try directory.actorAndHost(actor)
            let shard = directory.layout.shard(record.shard)
            guard Files.exists("\(shard)/data.mdb") else { throw Failure("\(actor) has stored nothing yet") }
            if let backTo {
                try putBack(record, of: host, in: shard, to: backTo)
            } else if diff.count == 2 {
                try show(ShardHistory.difference(of: record.id, from: diff[0], to: diff[1], in: shard))
            } else {
                try list(ShardHistory.commits(of: record.id, in: shard))
            }
        } catch {
            throw Failure(error).report()
        }
    }

    private func list(_ history: (commits: [ShardHistory.Commit], version: UInt64)) throws {
        if json {
            for commit in history.commits { print(try JSON.text(value(commit))) }
            return
        }
        guard let oldest = history.commits.first else {
            print("version \(history.version); no earlier state is kept")
            return
        }
        var table = Table(["VERSION", "WHEN (UTC)", "CHANGED", "CALL"])
        table.add(["\(oldest.version - 1)", "-", "the oldest state that is kept", "-"])
        for commit in history.commits {
            let calls = commit.entry.calls
            let call = calls.first.map { calls.count > 1 ? "\($0) and \(calls.count - 1) more" : $0 } ?? "-"
            table.add([
                "\(commit.version)", WallClock.text(milliseconds: commit.entry.milliseconds),
                commit.properties.joined(separator: ", "),
                commit.entry.putBackTo.map { "put back to \($0)" } ?? call,
            ])
        }
        print(table.text, terminator: "")
    }

    private func value(_ commit: ShardHistory.Commit) -> CBORValue {
        .object([
            "version": CBORValue(commit.version),
            "milliseconds": CBORValue(commit.entry.milliseconds),
            "properties": .array(commit.properties.map { .text($0) }),
            "calls": .array(commit.entry.calls.map { .text($0) }),
            "putBackTo": commit.entry.putBackTo.map { CBORValue($0) } ?? .null,
        ])
    }

    private func show(_ differences: [ShardHistory.Difference]) throws {
        for difference in differences {
            let (before, after) = (try decoded(difference.before), try decoded(difference.after))
            var members: [CBORValue.Entry] = [CBORValue.Entry(.text("property"), .text(difference.property))]
            var (old, new) = (before, after)
            if difference.collection == .dictionary {
                members.append(CBORValue.Entry(.text("key"), Self.part(0, of: before ?? after)))
                (old, new) = (before.map { Self.part(1, of: $0) }, after.map { Self.part(1, of: $0) })
            } else if difference.collection == .array, let key = difference.key, key.count == 8 {
                let position = key.reduce(0) { $0 << 8 | UInt64($1) }
                members.append(
                    CBORValue.Entry(
                        .text("position"),
                        .text("\(Int64(bitPattern: position &- CollectionHeader.middle))")
                    )
                )
            }
            members.append(CBORValue.Entry(.text("before"), old ?? .null))
            members.append(CBORValue.Entry(.text("after"), new ?? .null))
            print(try JSON.text(.map(members)))
        }
    }

    private func decoded(_ payload: [UInt8]?) throws -> CBORValue? {
        try payload.map { try CBORDecoder().decode(CBORValue.self, from: $0) }
    }

    private static func part(_ index: Int, of value: CBORValue?) -> CBORValue {
        guard case .array(let pair) = value, pair.count == 2 else { return value ?? .null }
        return pair[index]
    }

    private func putBack(
        _ record: ActorRecord,
        of host: ActorRecord,
        in shard: String,
        to version: UInt64
    ) throws {
        let isRunning = host.worker.map(ProcessTable.isAlive) ?? false
        if isRunning, !record.policy.maxRestarts.allows(after: record.policy.restarts) {
            throw Failure(
                "\(actor) is running and may not be restarted any more, so putting it back would end it; shut its "
                    + "runtime down first"
            )
        }
        // Found out before anybody is asked.
        _ = try ShardHistory.difference(of: record.id, from: version, to: version, in: shard)
        if !yes {
            StandardError.write("Put \(actor) back to version \(version)? Its worker is replaced. [y/N] ")
            guard let answer = readLine(), ["y", "yes"].contains(answer.lowercased()) else {
                throw Failure("nothing was changed")
            }
        }
        let made = try ShardHistory.putBack(record.id, to: version, in: shard)
        print("\(actor) has the state of version \(version) again; this is version \(made)")
    }
}
