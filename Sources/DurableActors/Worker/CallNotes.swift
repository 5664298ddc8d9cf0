internal import DurableCore
internal import DurableProcess
internal import DurableTransport

/// Notes on the worker's page which turns are open and which job runs, for whoever asks after this process's death.
///
/// Used on the worker's loop only. Costs a few stores for each turn and two for each job.
final class CallNotes {
    private let page: WorkerPage
    /// A bit for each place that is free.
    private var free = UInt64.max

    init(_ page: WorkerPage) { self.page = page }

    /// From now on the page says which job the loop runs.
    func follow(_ loop: EventLoop) {
        let page = page
        loop.watchJobs { page.job = UInt64($0) }
    }

    /// Something begins, in the job that runs now. Returns its place; `nil` when too much is open, and it goes
    /// without a note.
    func begin(_ suspect: Suspect) -> Int? {
        guard free != 0 else { return nil }
        let place = free.trailingZeroBitCount
        free &= ~(1 << place)
        page.note(suspect, job: page.job, at: place)
        return place
    }

    /// It has ended.
    func end(_ place: Int?) {
        guard let place else { return }
        page.clearNote(at: place)
        free |= 1 << place
    }
}
