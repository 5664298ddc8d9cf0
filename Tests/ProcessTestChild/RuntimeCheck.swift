internal import DurableProcess
internal import Foundation
internal import Glibc
internal import Synchronization

/// What Swift needs registered before main, tried from the role entry.
func reportRuntime(to report: Report) throws {
    let found = _typeByName("16ProcessTestChild4NoteV")
    report.line("type by name \(found == Note.self)")
    let dynamic: Any.Type = found ?? Void.self
    report.line("conformance \((dynamic as? any Greeting.Type)?.greeting ?? "missing")")
    let generic: Any = Box(content: Note(text: "boxed", count: 1))
    report.line("generic cast \((generic as? any Describable)?.summary ?? "missing")")

    let note = Note(text: "häuser", count: 7)
    let decoded = try JSONDecoder().decode(Note.self, from: JSONEncoder().encode(note))
    report.line("codable \(decoded == note)")
    report.line("mirror \(Mirror(reflecting: note).children.compactMap(\.label))")

    let counter = Counter()
    let finished = DispatchSemaphore(value: 0)
    // This thread is parked below and owns the task: the process ends when both are done.
    Task {
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<100 { group.addTask { counter.increment() } }
        }
        let tally = Tally()
        for _ in 0..<10 { await tally.add() }
        report.line("actor \(await tally.value)")
        finished.signal()
    }
    let outcome = finished.wait(timeout: .now() + 20)
    report.line("tasks \(outcome == .success ? counter.value : -1)")
    report.line("global \(globalGreeting)")
}

private let globalGreeting = ["lazily", "initialised"].joined(separator: " ")

private protocol Greeting {
    static var greeting: String { get }
}

private protocol Describable {
    var summary: String { get }
}

struct Note: Codable, Equatable {
    var text: String
    var count: Int
}

extension Note: Greeting {
    static var greeting: String { "hello" }
}

private struct Box<Content> {
    var content: Content
}

extension Box: Describable where Content: Greeting {
    var summary: String { "a box that says \(Content.greeting)" }
}

private final class Counter: Sendable {
    private let state = Mutex(0)

    func increment() { state.withLock { $0 += 1 } }
    var value: Int { state.withLock { $0 } }
}

private actor Tally {
    var value = 0

    func add() { value += 1 }
}
