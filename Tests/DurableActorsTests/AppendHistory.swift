/// What clients saw of lists that they appended to and read, and whether that could have happened one call at a time.
///
/// Of a list, the final state says in which order its entries came. So each acknowledged call has its place in that
/// order: an append that of its entry, a read behind the last entry that it saw. The history is linearizable exactly if
/// no call has a place before that of a call which had ended when it began.
struct AppendHistory {
    struct Call {
        var key: String
        var isRead: Bool
        var began: UInt64
        var ended: UInt64?
        /// How many entries there were with the call's own one, or with the last one that it read.
        var count = 0
        /// The last of these.
        var entry = ""
    }

    private(set) var calls: [String: Call] = [:]
    /// Calls that were answered with an error.
    private(set) var failures: [String] = []

    /// - Parameter lines: What the clients noted; see `makeHistory` in the test driver.
    init(_ lines: [String]) {
        for line in lines {
            let words = line.split(separator: " ").map(String.init)
            guard words.count >= 5, let time = UInt64(words[2]) else {
                if words.first == "fail" { failures.append(line) }
                continue
            }
            if words[0] == "begin" {
                calls[words[1]] = Call(key: words[4], isRead: words[3] == "read", began: time)
            } else {
                calls[words[1]]?.ended = time
                calls[words[1]]?.count = Int(words[3]) ?? -1
                calls[words[1]]?.entry = words[4]
            }
        }
    }

    /// How many calls were answered.
    var acknowledgedCount: Int { calls.values.count { $0.ended != nil } }

    /// What is wrong with a key's calls, given its list in the end.
    func violations(of key: String, final: [String]) -> [String] {
        var found: [String] = []
        if Set(final).count != final.count { found.append("an entry is there twice") }
        for entry in final where calls[entry]?.key != key || calls[entry]?.isRead != false {
            found.append("nobody appended \(entry)")
        }
        let answered = calls.filter { $0.value.key == key && $0.value.ended != nil }
        for (id, call) in answered {
            let seen =
                call.count == 0 ? "-" : final.indices.contains(call.count - 1) ? final[call.count - 1] : "nothing"
            let own = call.isRead ? call.entry : id
            if seen != own { found.append("\(id) had \(own) at \(call.count), where \(seen) is in the end") }
        }
        // A read comes behind the entry that it saw, and before the next one.
        let places = answered.values.map { (call: $0, place: 2 * $0.count + ($0.isRead ? 1 : 0)) }
        let byEnd = places.sorted { ($0.call.ended ?? 0) < ($1.call.ended ?? 0) }
        var latest = 0
        var index = 0
        for next in places.sorted(by: { $0.call.began < $1.call.began }) {
            while index < byEnd.count, let ended = byEnd[index].call.ended, ended < next.call.began {
                latest = max(latest, byEnd[index].place)
                index += 1
            }
            if next.place < latest { found.append("a call saw \(next.place) after another one had seen \(latest)") }
        }
        return found
    }
}
