internal import CLMDB

/// Lends bytes to LMDB without copying where they are contiguous.
func withLMDBValue<Bytes: Collection<UInt8>>(of bytes: Bytes, _ body: (inout MDB_val) -> Int32) -> Int32 {
    func lend(_ buffer: UnsafeBufferPointer<UInt8>) -> Int32 {
        // LMDB reads through this pointer only; its C type is not const.
        var value = MDB_val(mv_size: buffer.count, mv_data: UnsafeMutableRawPointer(mutating: buffer.baseAddress))
        return body(&value)
    }
    return bytes.withContiguousStorageIfAvailable(lend) ?? Array(bytes).withUnsafeBufferPointer(lend)
}

extension MDB_val {
    /// The bytes in LMDB's map, valid until the transaction changes or ends.
    var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: mv_data, count: mv_size)
    }
}
