import DurableLMDB
import Glibc

// A second process for the tests: does one thing to an environment and says on standard output how far it got.

/// One line, written at once so that it is out even if the process is killed right after.
func say(_ line: String) {
    let bytes = Array((line + "\n").utf8)
    _ = bytes.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
}

func waitToBeKilled() -> Never {
    while true { pause() }
}

func open(_ directory: String, mapBytes: Int = 1 << 20) throws(LMDBError) -> Environment {
    var options = EnvironmentOptions(format: StoreFormat(name: "test", version: 3), databases: ["main", "other"])
    options.mapBytesInitial = mapBytes
    options.mapBytesMax = 1 << 30
    return try Environment.open(directory: directory, options: options)
}

func holdReads(_ environment: Environment, _ count: Int) throws(LMDBError) {
    try environment.read { (_) throws(LMDBError) in
        if count > 1 { try holdReads(environment, count - 1) }
        say("ready")
        waitToBeKilled()
    }
}

func holdWrite(_ environment: Environment) throws(LMDBError) {
    try environment.write { (transaction) throws(LMDBError) in
        try transaction.put("key".utf8, "uncommitted".utf8, in: environment.database("main"))
        say("ready")
        waitToBeKilled()
    }
}

func createUntilKilled(_ parent: String) throws(LMDBError) {
    for number in 0... {
        say("\(number)")
        try open("\(parent)/\(number)").close()
    }
}

func countUntilKilled(_ environment: Environment) throws(LMDBError) {
    let main = environment.database("main")
    while true {
        let count = try environment.write { (transaction) throws(LMDBError) in
            let old = try transaction.get("count".utf8, in: main).flatMap { Int(String(decoding: $0, as: UTF8.self)) }
            let count = (old ?? 0) + 1
            try transaction.put("count".utf8, String(count).utf8, in: main)
            return count
        }
        say("\(count)")
    }
}

/// Counts in one environment and then, when that is committed, in another one.
func countInTurnUntilKilled(_ environments: [Environment]) throws(LMDBError) {
    var count = 0
    while true {
        count += 1
        for environment in environments {
            try environment.write { (transaction) throws(LMDBError) in
                try transaction.put("count".utf8, String(count).utf8, in: environment.database("main"))
            }
        }
        say("\(count)")
    }
}

func fill(_ environment: Environment, _ count: Int) throws(LMDBError) {
    let value = [UInt8](repeating: 7, count: 1000)
    for number in 0..<count {
        try environment.write { (transaction) throws(LMDBError) in
            try transaction.put("fill-\(number)".utf8, value, in: environment.database("main"))
        }
    }
    say("done")
}

/// Writes up to the limit on the size of files, then deletes everything.
func meetFileLimit(_ environment: Environment) throws(LMDBError) {
    signal(SIGXFSZ, SIG_IGN)
    var limit = rlimit(rlim_cur: 400_000, rlim_max: 400_000)
    setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
    do throws(LMDBError) { try fill(environment, 10_000) } catch { say("\(error.code)") }
    let main = environment.database("main")
    try environment.write { (transaction) throws(LMDBError) in _ = try transaction.deletePrefix("fill".utf8, in: main) }
    say(environment.isUsable ? "usable" : "unusable")
}

let arguments = CommandLine.arguments
let command = arguments[1]
let directory = arguments[2]
do {
    switch command {
    case "hold-reads": try holdReads(open(directory), Int(arguments[3]) ?? 1)
    case "hold-write": try holdWrite(open(directory))
    case "create": try createUntilKilled(directory)
    case "count": try countUntilKilled(open(directory))
    case "count-in-turn": try countInTurnUntilKilled([open(directory), open(arguments[3])])
    case "fill": try fill(open(directory), Int(arguments[3]) ?? 1)
    case "file-limit": try meetFileLimit(open(directory))
    case "open-with-umask":
        umask(mode_t(arguments[3], radix: 8) ?? 0)
        try open(directory).copy(to: directory + "-copy")
        say("done")
    default: say("unknown command \(command)")
    }
} catch {
    say("\(error)")
    exit(1)
}
