internal import CDurable
package import DurableCore

/// What a worker is in the middle of, told in a way that its death cannot take back.
extension WorkerPage {
    /// How many notes there is room for. More turns than that can be open at once; the rest goes without.
    package static let notesMax = Int(DURABLE_PAGE_NOTES_MAX)

    private enum Kind: UInt64 { case start = 1, call, records }

    /// The job that the worker's loop runs at this moment; 0 between two jobs.
    package var job: UInt64 {
        get { durable_page_job(page) }
        set { durable_page_set_job(page, newValue) }
    }

    /// Notes that something has begun. By one thread only, the one that also sets `job`.
    package func note(_ suspect: Suspect, job: UInt64, at place: Int) {
        var note = durable_page_note()
        note.actor_high = suspect.actor.high
        note.actor_low = suspect.actor.low
        note.job = job
        switch suspect {
        case .start:
            note.kind = Kind.start.rawValue
        case .records:
            note.kind = Kind.records.rawValue
        case .call(_, let call):
            note.kind = Kind.call.rawValue
            note.session_high = call.session.high
            note.session_low = call.session.low
            note.sequence = call.sequence
        }
        durable_page_set_note(page, UInt32(place), &note)
    }

    /// From now on a thread that crashes or exits leaves the job that it works for on the page.
    ///
    /// The page must live as long as the process.
    package func watchCrashes() { durable_page_watch_crashes(page) }

    /// Runs something on this thread for a job of the worker's loop, which runs elsewhere.
    package static func work<Result>(for job: UInt64, _ body: () -> Result) -> Result {
        durable_page_set_thread_job(job)
        defer { durable_page_set_thread_job(0) }
        return body()
    }

    /// What was noted there has ended.
    package func clearNote(at place: Int) { durable_page_clear_note(page, UInt32(place)) }

    /// What a worker that is gone was in the middle of.
    package var crashScene: CrashScene {
        let crashed = durable_page_crashed_job(page)
        var scene = CrashScene(job: crashed == 0 ? job : crashed)
        for place in 0..<DURABLE_PAGE_NOTES_MAX {
            var note = durable_page_note()
            guard durable_page_read_note(page, UInt32(place), &note) else { continue }
            let actor = ActorID(high: note.actor_high, low: note.actor_low)
            let session = SessionID(high: note.session_high, low: note.session_low)
            switch Kind(rawValue: note.kind) {
            case .start:
                scene.notes.append(CrashScene.Note(.start(actor), job: note.job))
            case .records:
                scene.notes.append(CrashScene.Note(.records(actor), job: note.job))
            case .call:
                let call = CallID(session: session, sequence: note.sequence)
                scene.notes.append(CrashScene.Note(.call(actor, call), job: note.job))
            case nil:
                // A worker that ran wild can have written anything.
                continue
            }
        }
        return scene
    }
}
