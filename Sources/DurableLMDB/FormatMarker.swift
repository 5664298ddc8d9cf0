/// The entry that says whose environment this is, kept beside the names of the databases.
enum FormatMarker {
    /// Starts with a zero byte, so it sorts before every name and is the first entry of the file.
    static let key: [UInt8] = [0] + Array("format".utf8)

    static func encode(_ format: StoreFormat) -> [UInt8] {
        Array("\(format.name) \(format.version)".utf8)
    }

    static func decode(_ bytes: some Sequence<UInt8>) -> StoreFormat? {
        let text = String(decoding: Array(bytes), as: UTF8.self)
        let parts = text.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, let version = Int(parts[1]) else { return nil }
        return StoreFormat(name: String(parts[0]), version: version)
    }
}

extension DataFile {
    private static let attemptsMax = 32

    /// Finds out that the file is sound, ours and not too new, and returns the format it has.
    ///
    /// Another process may commit meanwhile and reuse pages, so a fault counts only if the file stood still.
    func inspect(expecting expected: StoreFormat) throws(LMDBError) -> StoreFormat {
        var attempt = 0
        while true {
            attempt += 1
            let meta = try meta()
            do throws(LMDBError) {
                try checkLength(meta)
                return try format(of: meta, expecting: expected)
            } catch {
                if try self.meta().transaction == meta.transaction || attempt == Self.attemptsMax { throw error }
            }
        }
    }

    private func format(of meta: Meta, expecting expected: StoreFormat) throws(LMDBError) -> StoreFormat {
        let found = try marker(of: meta)
        guard let found, found.name == expected.name else {
            let what = found.map { "a store named \"\($0.name)\"" } ?? "an LMDB file of another program"
            throw LMDBError(.notOurs, "\(path) is \(what), not \"\(expected.name)\". Choose another directory.")
        }
        guard found.version <= expected.version else {
            let versions = "has format \(found.version); this program reads up to \(expected.version)"
            throw LMDBError(.newerFormat, "\(path) \(versions). Use a newer version of the program.")
        }
        return found
    }

    /// The first entry of the main tree, if it is a format marker.
    private func marker(of meta: Meta) throws(LMDBError) -> StoreFormat? {
        if meta.main.isEmpty { return nil }
        var page = try page(meta.main.root, of: meta)
        for _ in 1..<meta.main.depth where !page.isLeaf {
            page = try self.page(page.child(page.nodes[0]), of: meta)
        }
        guard page.isLeaf else { throw damaged("its tree is deeper than it says") }
        let node = page.nodes[0]
        let value = page.value(node)
        guard Array(page.key(node)) == FormatMarker.key else { return nil }
        guard value.flags == 0, value.start + value.count <= page.bytes.count,
            let format = FormatMarker.decode(page.bytes[value.start..<value.start + value.count])
        else { throw damaged("its format marker is garbage") }
        return format
    }
}
