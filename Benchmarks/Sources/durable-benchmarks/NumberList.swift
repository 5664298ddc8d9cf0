internal import ArgumentParser

/// Numbers as users write them: separated by commas, each larger than the one before.
enum NumberList {
    /// Reads a list.
    /// - Parameters:
    ///   - text: The list.
    ///   - option: What the option is called.
    ///   - lowest: The least number that makes sense.
    static func parse(_ text: String, of option: String, from lowest: Int = 1) throws -> [Int] {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        let numbers = parts.compactMap { Int($0) }
        guard numbers.count == parts.count, let first = numbers.first, first >= lowest,
            zip(numbers, numbers.dropFirst()).allSatisfy({ $0 < $1 })
        else {
            throw ValidationError("--\(option) must be growing numbers from \(lowest) on, separated by commas: \(text)")
        }
        return numbers
    }
}
