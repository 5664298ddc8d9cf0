internal import DurableActors

/// Many calls under way at once.
enum Pipeline {
    /// Keeps a window of calls under way: each answer, in the order of submission, makes room for the next call.
    /// - Parameters:
    ///   - count: How many calls are made.
    ///   - inFlight: How many of them may be without an answer.
    ///   - submit: Makes the call of this number.
    ///   - check: Looks at the answer of the call of this number.
    static func run<Answer: Sendable>(
        _ count: Int,
        inFlight: Int,
        submit: (Int) throws -> ObjectRef<Answer>,
        check: (Int, Answer) throws -> Void = { _, _ in }
    ) async throws {
        // A ring: who has an answer needs its reference no more.
        var references: [ObjectRef<Answer>] = []
        references.reserveCapacity(inFlight)
        for index in 0..<count {
            guard index >= inFlight else {
                references.append(try submit(index))
                continue
            }
            let place = index % inFlight
            try check(index - inFlight, try await references[place].value)
            references[place] = try submit(index)
        }
        for index in max(0, count - inFlight)..<count { try check(index, try await references[index % inFlight].value) }
    }
}
