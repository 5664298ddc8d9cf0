internal import Glibc

extension FileView {
    /// Writes the pages of the view to a new file at the places that they have. Free pages become holes.
    ///
    /// The file is durable when this returns; its name is not.
    /// - Throws: When a page is damaged, and when the file cannot be written; then it is incomplete.
    package func copy(to path: String) throws(LMDBError) {
        let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw .lastSystemError(while: "creating a copy", at: path) }
        defer { close(descriptor) }
        // The umask may have taken modes away.
        guard fchmod(descriptor, 0o600) == 0 else {
            throw .lastSystemError(while: "setting the mode of a copy", at: path)
        }
        let pageBytes = UInt64(meta.pageBytes)
        func put(_ bytes: [UInt8], at offset: UInt64) throws(LMDBError) {
            var written = 0
            while written < bytes.count {
                let count = bytes.withUnsafeBytes {
                    pwrite(descriptor, $0.baseAddress! + written, bytes.count - written, off_t(offset) + off_t(written))
                }
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw .lastSystemError(while: "writing a copy", at: path) }
                written += count
            }
        }
        var check = FileCheck(self) { (number, bytes) throws(LMDBError) in try put(bytes, at: number * pageBytes) }
        check.finish()
        try check.throwSinkFailure()
        if let fault = check.faults.first { throw data.damaged(fault) }
        guard ftruncate(descriptor, off_t(byteCount)) == 0 else {
            throw .lastSystemError(while: "writing a copy", at: path)
        }
        // Transactions write the two meta pages in turn. Both say the same here, under this number and the one before.
        for slot in 0..<UInt64(2) {
            let isNewest = meta.transaction & 1 == slot || meta.transaction == 0
            try put(
                metaPage(slot, transaction: isNewest ? meta.transaction : meta.transaction - 1),
                at: slot * pageBytes
            )
        }
        guard fsync(descriptor) == 0 else { throw .lastSystemError(while: "making a copy durable", at: path) }
    }

    private func metaPage(_ slot: UInt64, transaction: UInt64) -> [UInt8] {
        var page = meta.bytes
        page.withUnsafeMutableBytes { bytes in
            bytes.storeBytes(of: slot, toByteOffset: 0, as: UInt64.self)
            bytes.storeBytes(of: transaction, toByteOffset: 144, as: UInt64.self)
        }
        return page
    }
}
