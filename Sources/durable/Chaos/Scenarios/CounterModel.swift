internal import DurableChaos

/// What a slot of a counter is to do.
struct CounterModel: SequentialModel {
    enum Operation: Sendable {
        case add(Int)
        case read
    }

    var value = 0

    mutating func apply(_ operation: Operation) -> Int {
        if case .add(let amount) = operation { value += amount }
        return value
    }
}

extension CallHistory<CounterModel> {
    /// What cannot be, found without any search: with positive amounts the answers of all additions are in the only
    /// order in which these can have happened. Each then has to be the sum so far, what was read has to be one of these
    /// sums, and nobody may see less than was known before the call began.
    func witness() -> String? {
        var acknowledged: [(invoked: Int, ended: Int, amount: Int?, answer: Int)] = []
        var doubtful = 0
        for call in calls {
            let amount: Int? = if case .add(let amount) = call.operation { amount } else { nil }
            switch call.outcome {
            case .acknowledged(let answer):
                acknowledged.append((call.invoked, call.ended ?? .max, amount, answer))
            case .unknown: if let amount { doubtful += amount }
            case .failed: break
            }
        }
        var sum = 0
        for add in acknowledged.filter({ $0.amount != nil }).sorted(by: { $0.answer < $1.answer }) {
            let amount = add.amount ?? 0
            // What additions of unknown outcome have added comes in between.
            guard add.answer == sum + amount || doubtful > 0 && add.answer > sum + amount else {
                return "+\(amount) behind \(sum) answered \(add.answer)"
            }
            sum = add.answer
        }
        let sums = Set(acknowledged.filter { $0.amount != nil }.map(\.answer) + [0])
        for read in acknowledged where read.amount == nil && doubtful == 0 && !sums.contains(read.answer) {
            return "a call read \(read.answer), which it never was"
        }
        var (known, ends) = (0, acknowledged.sorted { $0.ended < $1.ended }[...])
        for call in acknowledged.sorted(by: { $0.invoked < $1.invoked }) {
            while let first = ends.first, first.ended < call.invoked {
                known = max(known, first.answer)
                ends.removeFirst()
            }
            guard call.answer >= known + (call.amount ?? 0) else {
                return "\(call.amount.map { "+\($0)" } ?? "a read") answered \(call.answer) when \(known) was known"
            }
        }
        return nil
    }
}
