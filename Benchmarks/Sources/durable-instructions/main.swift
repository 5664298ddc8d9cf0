internal import BenchmarkValues
internal import DurableActors
internal import Glibc

// Does one thing a given number of times and nothing else, for callgrind to count its instructions: the count for one is
// the difference between two runs, divided. Not a subcommand of the other program, because valgrind does not survive a
// main function that is asynchronous.

/// What can be counted.
let things: [String: (Int) throws -> Void] = [
    "codec.encode": { times in
        let value = TwentyFields(number: 7)
        let encoder = CBOREncoder()
        for _ in 0..<times { _ = try encoder.encode(value) }
    },
    "codec.decode": { times in
        let bytes = try CBOREncoder().encode(TwentyFields(number: 7))
        let decoder = CBORDecoder()
        for _ in 0..<times { _ = try decoder.decode(TwentyFields.self, from: bytes) }
    },
    "codec.integer": { times in
        let encoder = CBOREncoder()
        let decoder = CBORDecoder()
        for number in 0..<times { _ = try decoder.decode(Int.self, from: encoder.encode(number)) }
    },
]

guard CommandLine.arguments.count == 3, let times = Int(CommandLine.arguments[2]),
    let thing = things[CommandLine.arguments[1]]
else {
    print("usage: durable-instructions <\(things.keys.sorted().joined(separator: "|"))> <times>")
    exit(64)
}
try thing(times)
