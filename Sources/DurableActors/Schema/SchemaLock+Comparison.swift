internal import DurableCore

extension SchemaLock {
    /// What has changed between two states of the sources.
    public struct Comparison: Sendable, Hashable {
        /// Changes that make state unreadable, or lose it, that an actor of the locked layout has stored.
        public internal(set) var incompatible: [String] = []
        /// Other changes. The lock file is to be written again.
        public internal(set) var compatible: [String] = []

        /// Whether nothing has changed.
        public var isCurrent: Bool { incompatible.isEmpty && compatible.isEmpty }
    }

    /// Stored layouts do not fit the lock file any more.
    public struct Mismatch: Error, Sendable, CustomStringConvertible {
        /// What has changed.
        public let comparison: Comparison
        /// The lock file.
        public let file: String

        /// All changes, a line each.
        public var description: String {
            var lines = ["the stored layouts do not fit \(file):"]
            lines += comparison.incompatible.map { "  incompatible: \($0)" }
            lines += comparison.compatible.map { "  changed: \($0)" }
            if !comparison.incompatible.isEmpty {
                lines.append("raise schemaVersion and write migrate(_:from:), or undo the change; see docs/schema.md")
            } else {
                lines.append("stored state stays readable; write the file again")
            }
            return lines.joined(separator: "\n")
        }
    }

    /// Compares the layouts of the actors that live in a runtime with a lock file: for a test, which starts a runtime
    /// without a directory, spawns one actor of each type, and calls this.
    /// - Parameters:
    ///   - runtime: The runtime.
    ///   - file: The lock file.
    ///   - exact: Whether compatible changes fail, too, so that the file is always that of the sources.
    ///   - update: Whether the file is written, whatever has changed.
    /// - Returns: What has changed.
    /// - Throws: ``Mismatch``; and ``ActorError`` when there is no such file, or an actor cannot be served.
    @discardableResult
    public static func check(
        _ runtime: ActorRuntime,
        file: String,
        exact: Bool = false,
        update: Bool = false
    ) async throws -> Comparison {
        let built = try await runtime.schemaLock()
        if update { try built.write(to: file) }
        return try built.check(file: file, exact: exact)
    }

    /// Compares with a lock file.
    /// - Throws: ``Mismatch``; and ``ActorError`` when there is no such file.
    @discardableResult
    public func check(file: String, exact: Bool = false) throws -> Comparison {
        let comparison = try SchemaLock(file: file).comparison(with: self)
        if !comparison.incompatible.isEmpty || (exact && !comparison.isCurrent) {
            throw Mismatch(comparison: comparison, file: file)
        }
        return comparison
    }

    /// What has changed from this lock to the layouts of a newer build.
    public func comparison(with built: SchemaLock) -> Comparison {
        var comparison = Comparison()
        for name in Set(typeNames + built.typeNames).sorted() {
            switch (types[name], built.types[name]) {
            case (let old?, let new?): old.compare(with: new, name, into: &comparison)
            case (_?, nil): comparison.compatible.append("\(name): no actor of this type is there to compare with")
            case (nil, _?): comparison.compatible.append("\(name): is new")
            case (nil, nil): break
            }
        }
        return comparison
    }
}

extension SchemaLock.Layout {
    func compare(with new: Self, _ name: String, into comparison: inout SchemaLock.Comparison) {
        guard new.version == version else {
            if new.version > version {
                comparison.compatible.append("\(name): schema version \(version) became \(new.version)")
            } else {
                comparison.incompatible.append("\(name): schema version \(version) went back to \(new.version)")
            }
            return
        }
        let old = following(new)
        for path in Set(old.keys).union(new.lines.keys).sorted() {
            // What is below a changed type changed with it.
            guard Self.outer(of: path).allSatisfy({ Self.isSame(old[$0], new.lines[$0]) }) else { continue }
            switch (old[path], new.lines[path]) {
            case (let before?, let after?) where before == after: break
            case (let before?, let after?):
                let text = "\(name): \(path) was \(before) and is \(after)"
                if Self.reads(after, before) {
                    comparison.compatible.append(text)
                } else {
                    comparison.incompatible.append(text)
                }
            case (nil, let after?):
                let isReadable = Self.outer(of: path).isEmpty || after.hasSuffix("?")
                if isReadable {
                    comparison.compatible.append("\(name): \(path) is new, \(after)")
                } else {
                    let reason = "values stored before do not have it, and it is not optional"
                    comparison.incompatible.append("\(name): \(path) is new, \(after): \(reason)")
                }
            case (let before?, nil):
                let end = Self.outer(of: path).isEmpty ? "it stays stored" : "it goes when the value is stored next"
                let hint = "was it renamed? then say so with renamedFrom"
                comparison.compatible.append("\(name): \(path) is gone, \(before): \(end); \(hint)")
            case (nil, nil): break
            }
        }
        for (former, path) in aliases.sorted(by: { $0.key < $1.key }) where new.aliases[former] != path {
            let text = "\(name): \(path) is not found under its former name \(former) any more"
            if new.lines[path] == nil { continue }
            comparison.incompatible.append(text)
        }
        for (former, path) in new.aliases.sorted(by: { $0.key < $1.key }) where aliases[former] == nil {
            comparison.compatible.append("\(name): \(path) is also found under the former name \(former)")
        }
    }

    /// The lines under the names that the newer layout has for properties that it has renamed.
    private func following(_ new: Self) -> [String: String] {
        var moved: [String: String] = [:]
        for (path, type) in lines {
            let end = path.firstIndex { $0 == "." || $0 == "[" } ?? path.endIndex
            let property = String(path[..<end])
            let target = new.lines[property] == nil ? new.aliases[property] : nil
            if let target, lines[target] == nil {
                moved[target + path[end...]] = type
            } else {
                moved[path] = type
            }
        }
        return moved
    }

    /// The paths around a path, outermost first.
    private static func outer(of path: String) -> [String] {
        path.indices.filter { $0 > path.startIndex && (path[$0] == "." || path[$0] == "[") }.map { String(path[..<$0]) }
    }

    private static func isSame(_ before: String?, _ after: String?) -> Bool {
        guard let before, let after else { return false }
        return before == after || reads(after, before)
    }

    /// Whether every value of the one type can be read as the other.
    private static func reads(_ after: String, _ before: String) -> Bool {
        if after == before { return true }
        if after.hasSuffix("?") {
            return reads(String(after.dropLast()), before.hasSuffix("?") ? String(before.dropLast()) : before)
        }
        guard let from = integers[before], let to = integers[after] else { return false }
        return from.isSubset(of: to)
    }

    /// What integers of each type hold: as many bits, from zero or below.
    private static let integers: [String: Range<Int>] = [
        "Int8": -7..<7, "Int16": -15..<15, "Int32": -31..<31, "Int64": -63..<63, "Int": -63..<63, "Int128": -127..<127,
        "UInt8": 0..<8, "UInt16": 0..<16, "UInt32": 0..<32, "UInt64": 0..<64, "UInt": 0..<64, "UInt128": 0..<128,
    ]
}

extension Range<Int> {
    fileprivate func isSubset(of other: Range<Int>) -> Bool {
        other.lowerBound <= lowerBound && upperBound <= other.upperBound
    }
}
