internal import ArgumentParser
internal import BenchmarkValues
internal import DurableActors
internal import DurableBench
internal import Foundation

/// Answers: how much faster than Foundation's JSON coders is what arguments, results and state are coded with?
///
/// The value is a struct of twenty fields. In each round both coders encode and decode it, first by turns; what comes
/// out is compared with what went in.
struct CodecBenchmark: AsyncParsableCommand {
    private struct Round {
        /// Microseconds for one value.
        var cborEncode = 0.0
        var cborDecode = 0.0
        var jsonEncode = 0.0
        var jsonDecode = 0.0
    }

    static let configuration = CommandConfiguration(
        commandName: "codec",
        abstract: "CBOR encoding and decoding of a struct of twenty fields beside Foundation's JSON."
    )

    @Option(help: "Rounds that are measured, after one that is not.")
    var rounds = 15

    @Option(help: "Values that are encoded and decoded in a round.")
    var values = 5000

    @Option(help: "A file for the figures.")
    var json: String?

    func validate() throws {
        guard rounds > 0, values > 0 else { throw ValidationError("rounds and values must be positive") }
    }

    func run() async throws {
        let load = BenchmarkMachine.load
        let machine = BenchmarkMachine.current()
        var rows: [Round] = []
        for round in 0...rounds {
            let row = try measure(isJSONFirst: round.isMultiple(of: 2))
            // The first round warms caches.
            if round > 0 { rows.append(row) }
        }
        let lines = [
            ("encode", \Round.cborEncode, \Round.jsonEncode), ("decode", \Round.cborDecode, \Round.jsonDecode),
        ]
        let report = Report(
            benchmark: "codec",
            parameters: [("rounds", "\(rounds)"), ("values", "\(values)")],
            machine: machine,
            loadBefore: load,
            figures: lines.map { name, cbor, json in
                Report.Figure(
                    name: name,
                    values: [
                        ("CBOR", median(rows.map { $0[keyPath: cbor] })),
                        ("JSON", median(rows.map { $0[keyPath: json] })),
                        ("times faster", median(rows.map { $0[keyPath: json] / $0[keyPath: cbor] })),
                    ]
                )
            },
            notes: ["Medians over the rounds of the mean of one value; ratios are of one round."]
        )
        try report.publish(json: json)
    }

    private func measure(isJSONFirst: Bool) throws -> Round {
        var round = Round()
        for isJSON in [isJSONFirst, !isJSONFirst] {
            if isJSON {
                let (encoder, decoder) = (JSONEncoder(), JSONDecoder())
                (round.jsonEncode, round.jsonDecode) = try time {
                    try encoder.encode($0)
                } decode: {
                    try decoder.decode(TwentyFields.self, from: $0)
                }
            } else {
                let (encoder, decoder) = (CBOREncoder(), CBORDecoder())
                (round.cborEncode, round.cborDecode) = try time {
                    try encoder.encode($0)
                } decode: {
                    try decoder.decode(TwentyFields.self, from: $0)
                }
            }
        }
        return round
    }

    /// Microseconds for encoding one value, and for decoding it.
    private func time<Coded>(
        _ encode: (TwentyFields) throws -> Coded,
        decode: (Coded) throws -> TwentyFields
    ) throws -> (Double, Double) {
        let fields = (0..<16).map { TwentyFields(number: $0) }
        let coded = try fields.map(encode)
        for (value, bytes) in zip(fields, coded) where try decode(bytes) != value {
            throw BenchmarkError("what was decoded is not what was encoded")
        }
        let start = nanoseconds()
        for index in 0..<values { _ = try encode(fields[index % fields.count]) }
        let middle = nanoseconds()
        for index in 0..<values { _ = try decode(coded[index % coded.count]) }
        let end = nanoseconds()
        return (Double(middle - start) / Double(values) / 1000, Double(end - middle) / Double(values) / 1000)
    }
}
