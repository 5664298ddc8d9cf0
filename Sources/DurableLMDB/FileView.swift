internal import CLMDB
internal import Glibc

/// One unchanging view of an environment's data file, read page by page without LMDB's trust in it.
///
/// In a file that others write, a reader's slot keeps the pages of the view from being reused while it exists.
package final class FileView {
    /// Where the files of the environment are.
    package let directory: String
    /// The format that the file has.
    package let format: StoreFormat
    let data: DataFile
    let meta: DataFile.Meta
    /// What is wrong with the meta pages, as far as LMDB would not notice it.
    let metaFaults: [String]
    /// Keeps the environment open as well.
    private let reader: ReadTransaction?

    private static let attemptsMax = 64

    init(
        directory: String,
        format: StoreFormat,
        data: consuming DataFile,
        meta: DataFile.Meta,
        reader: consuming ReadTransaction?,
        metaFaults: [String] = []
    ) {
        self.directory = directory
        self.format = format
        self.data = data
        self.meta = meta
        self.reader = reader
        self.metaFaults = metaFaults
    }

    /// The newest state of an environment. Where there is a lock file, others may be writing, and LMDB is told of the
    /// reader; without one, as in a backup, nothing beside the data file is needed or made.
    package static func open(_ directory: String, expecting format: StoreFormat) throws(LMDBError) -> FileView {
        let place = Place(directory: directory)
        try place.validate()
        if try FileSystem.kind(of: place.lockFile) == .absent {
            let data = try DataFile(path: place.dataFile)
            let found = try data.inspect(expecting: format)
            let (first, second) = try data.metas()
            let meta = second.transaction > first.transaction ? second : first
            return FileView(
                directory: directory,
                format: found,
                data: data,
                meta: meta,
                reader: nil,
                metaFaults: Self.faults(first, second, newest: meta)
            )
        }
        // No database is opened, so that LMDB follows no page of a file that may be damaged.
        var options = EnvironmentOptions(format: format, databases: [])
        options.readOnly = true
        let environment = try Environment.open(directory: directory, options: options)
        for _ in 0..<attemptsMax {
            if let view = try environment.view() { return view }
        }
        throw LMDBError(.lockedByOther, "\(directory): commits come too quickly to get hold of one. Try again.")
    }

    /// What LMDB would not notice, and what `DataFile.checkTurn` looks at for those who write.
    private static func faults(_ first: DataFile.Meta, _ second: DataFile.Meta, newest: DataFile.Meta) -> [String] {
        var faults: [String] = []
        if !DataFile.areInTurn(first, second) {
            faults.append("its meta pages have numbers \(first.transaction) and \(second.transaction)")
        }
        let map = newest.bytes.number(at: 32, as: UInt64.self)
        let used = (newest.lastPage + 1) * UInt64(newest.pageBytes)
        if newest.bytes.number(at: 24, as: UInt64.self) != 0 || map < used || map > 1 << 46 {
            faults.append("a meta page claims a map of \(map) bytes")
        }
        return faults
    }

    /// How many bytes the file has for this view, free pages included.
    package var byteCount: UInt64 { (meta.lastPage + 1) * UInt64(meta.pageBytes) }

    /// Grows with each commit.
    package var transaction: UInt64 { meta.transaction }
}

extension Environment {
    /// A view of the newest state; `nil` when commits came between, and another attempt is due.
    func view() throws(LMDBError) -> FileView? {
        let reader = try beginRead()
        let number = UInt64(mdb_txn_id(reader.access.pointer))
        let data = try DataFile(path: Place(directory: directory).dataFile)
        guard FileIdentity(try data.status()) == file else {
            throw LMDBError(.lockedByOther, "\(directory): its data file was replaced. Try again.")
        }
        let (first, second) = try data.metas()
        guard let meta = [first, second].first(where: { $0.transaction == number }) else { return nil }
        return FileView(directory: directory, format: storedFormat, data: data, meta: meta, reader: reader)
    }
}
