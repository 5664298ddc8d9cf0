internal import DurableCore
internal import DurableProcess
internal import DurableTransport

/// Notes on the worker's page which turns are open and which job runs, for whoever asks after this process's death.
///
/// Costs a few stores for each turn and two for each job.
// SAFETY: used on the worker's loop only.
final class CallNotes: @unchecked Sendable {
    /// Something that is open.
    enum Note: Sendable {
        /// It is noted at this place of the page.
        case place(Int)
        /// There was no place: it is noted while this job of its runs.
        case job(UInt64)
    }

    /// The place of a turn that has none of its own, while it runs.
    private static let sharedPlace = WorkerPage.notesMax - 1

    private let page: WorkerPage
    /// A bit for each place that is free.
    private var free = UInt64.max & ~(1 << UInt64(sharedPlace))
    /// Turns without a place, by their jobs.
    private var crowded: [UInt64: Suspect] = [:]

    init(_ page: WorkerPage) { self.page = page }

    /// From now on the page says which job the loop runs.
    /// - Parameter isRehearsal: Whether another host of the process may be the one whose crashes matter.
    func follow(_ loop: EventLoop, isRehearsal: Bool) {
        loop.watchJobs { [self] in runs(UInt64($0)) }
        if !isRehearsal { page.watchCrashes() }
    }

    private func runs(_ job: UInt64) {
        page.job = job
        guard !crowded.isEmpty else { return }
        if let suspect = crowded[job] {
            page.note(suspect, job: job, at: Self.sharedPlace)
        } else {
            page.clearNote(at: Self.sharedPlace)
        }
    }

    /// Something begins, in the job that runs now.
    func begin(_ suspect: Suspect) -> Note {
        let job = page.job
        let place = free.trailingZeroBitCount
        guard place < Self.sharedPlace else {
            crowded[job] = suspect
            runs(job)
            return .job(job)
        }
        free &= ~(1 << place)
        page.note(suspect, job: job, at: place)
        return .place(place)
    }

    /// It has ended.
    func end(_ note: Note?) {
        switch note {
        case .place(let place):
            page.clearNote(at: place)
            free |= 1 << place
        case .job(let job):
            crowded[job] = nil
            page.clearNote(at: Self.sharedPlace)
        case nil:
            break
        }
    }
}
