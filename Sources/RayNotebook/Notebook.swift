/// Prints sections and what was checked in them.
final class Notebook {
    /// What did not come out as promised.
    private var failures: [String] = []
    private var checks = 0
    private var sections = 0

    /// Begins a section under its title.
    func begin(_ title: String) {
        sections += 1
        print("\n\(sections). \(title)")
    }

    /// Checks a promise of the section and prints it.
    func check(_ promise: String, _ holds: Bool) {
        checks += 1
        print("   \(holds ? "ok  " : "FAIL") \(promise)")
        if !holds { failures.append(promise) }
    }

    /// Prints how it all came out.
    /// - Returns: The exit code.
    func conclusion() -> Int32 {
        print("\n\(sections) sections, \(checks) checks, \(failures.count) failed")
        return failures.isEmpty ? 0 : 1
    }
}
