import DurableCore

/// How often actors were started.
extension Oracle {
    /// - Parameter time: When the life before it ended.
    func started(_ actor: ActorID, _ options: ActorOptions, after time: UInt64?) {
        starts[actor, default: []].append((time ?? now(), options))
    }

    func budgetIsWhole(_ actor: ActorID) { starts[actor] = nil }

    func ended(_ actor: ActorID, _ cause: DeathCause) { ends[actor] = cause }

    /// Checked: no actor was restarted more often than its budget and its intensity allow. A supervisor that dies may
    /// have had no time to store the last few restarts.
    func checkRestarts() {
        let forgotten = 3 * (supervisorLives - 1)
        for (actor, starts) in starts.sorted(by: { $0.key < $1.key }) {
            guard let options = starts.first?.options else { continue }
            if !options.maxRestarts.isUnlimited, starts.count > 1 + options.maxRestarts.rawValue + forgotten {
                violated("actor \(actor.low) was started \(starts.count) times, with \(options.maxRestarts) restarts")
            }
            guard let intensity = options.restartIntensity, forgotten == 0 else { continue }
            let restarts = starts.dropFirst().map(\.time)
            for (first, last) in zip(restarts, restarts.dropFirst(intensity.restarts)) {
                // A restart counts from the death, and is a moment later.
                let distance = Duration.microseconds(Int64(last - first)) + .milliseconds(100)
                if distance < intensity.within { violated("actor \(actor.low) was restarted too often") }
            }
        }
    }
}
