extension DataFile {
    /// A branch or leaf page whose offsets have all been checked.
    struct Page {
        let bytes: [UInt8]
        let isLeaf: Bool
        let nodes: [Int]

        private static let nodeBytes = 8

        /// Nil when the bytes cannot be page `number` of a tree.
        init?(_ bytes: [UInt8], number: UInt64) {
            let flags = bytes.number(at: 10, as: UInt16.self)
            let lower = Int(bytes.number(at: 12, as: UInt16.self))
            let upper = Int(bytes.number(at: 14, as: UInt16.self))
            guard bytes.number(at: 0, as: UInt64.self) == number,
                flags & (PageFlags.branch | PageFlags.leaf) != 0, flags & (PageFlags.meta | PageFlags.overflow) == 0,
                lower >= 16, lower <= upper, upper <= bytes.count
            else { return nil }
            let offsets = stride(from: 16, to: lower - 1, by: 2).map { Int(bytes.number(at: $0, as: UInt16.self)) }
            let isSound = offsets.allSatisfy { offset in
                offset >= upper && offset + Self.nodeBytes <= bytes.count
                    && offset + Self.nodeBytes + Int(bytes.number(at: offset + 6, as: UInt16.self)) <= bytes.count
            }
            guard isSound, !offsets.isEmpty else { return nil }
            self.bytes = bytes
            isLeaf = flags & PageFlags.leaf != 0
            nodes = offsets
        }

        /// The child that a branch node points to.
        func child(_ node: Int) -> UInt64 {
            UInt64(bytes.number(at: node, as: UInt32.self)) | UInt64(bytes.number(at: node + 4, as: UInt16.self)) << 32
        }

        func key(_ node: Int) -> ArraySlice<UInt8> {
            let start = node + Self.nodeBytes
            return bytes[start..<start + Int(bytes.number(at: node + 6, as: UInt16.self))]
        }

        /// Length, flags and start of a leaf node's value.
        func value(_ node: Int) -> (count: Int, flags: UInt16, start: Int) {
            let count = Int(bytes.number(at: node, as: UInt32.self))
            return (count, bytes.number(at: node + 4, as: UInt16.self), key(node).endIndex)
        }
    }

    func page(_ number: UInt64, of meta: Meta) throws(LMDBError) -> Page {
        guard number > 1, number <= meta.lastPage else { throw damaged("it refers to page \(number)") }
        let bytes = try read(meta.pageBytes, at: number * UInt64(meta.pageBytes))
        guard let page = Page(bytes, number: number) else { throw damaged("page \(number) is garbage") }
        return page
    }

    /// Every page up to the last one must be in the file, except free pages at its end.
    ///
    /// A transaction that extends the file and gives the new pages back before it commits never writes them, so a sound
    /// file can be shorter than its page count says (1 of 20,000 commits of a random load).
    func checkLength(_ meta: Meta) throws(LMDBError) {
        let present = try length() / UInt64(meta.pageBytes)
        guard present <= meta.lastPage else { return }
        let free = try freePages(of: meta, from: present)
        guard UInt64(free.count) == meta.lastPage - present + 1 else {
            throw damaged("it is truncated to \(present) of \(meta.lastPage + 1) pages")
        }
    }

    /// The free pages numbered `first` and above.
    private func freePages(of meta: Meta, from first: UInt64) throws(LMDBError) -> Set<UInt64> {
        var found: Set<UInt64> = []
        var waiting = meta.free.isEmpty ? [] : [meta.free.root]
        var visited = 0
        while let number = waiting.popLast() {
            visited += 1
            guard visited <= first else { throw damaged("its list of free pages is circular") }
            let page = try page(number, of: meta)
            for node in page.nodes {
                if page.isLeaf {
                    found.formUnion(try freeList(node, of: page, meta).filter { $0 >= first && $0 <= meta.lastPage })
                } else {
                    waiting.append(page.child(node))
                }
            }
        }
        return found
    }

    /// One record of the free list: a count, then that many page numbers.
    private func freeList(_ node: Int, of page: Page, _ meta: Meta) throws(LMDBError) -> [UInt64] {
        let value = page.value(node)
        var list: [UInt8]
        if value.flags & NodeFlags.onOverflowPages != 0 {
            guard value.start + 8 <= page.bytes.count else { throw damaged("its list of free pages is garbage") }
            let overflow = page.bytes.number(at: value.start, as: UInt64.self)
            guard overflow > 1, overflow <= meta.lastPage, UInt64(value.count) <= (try length()) else {
                throw damaged("its list of free pages is garbage")
            }
            list = try read(value.count, at: overflow * UInt64(meta.pageBytes) + 16)
        } else {
            guard value.start + value.count <= page.bytes.count else {
                throw damaged("its list of free pages is garbage")
            }
            list = Array(page.bytes[value.start..<value.start + value.count])
        }
        guard list.count >= 8, list.number(at: 0, as: UInt64.self) <= UInt64(list.count / 8 - 1) else {
            throw damaged("its list of free pages is garbage")
        }
        let count = Int(list.number(at: 0, as: UInt64.self))
        return (0..<count).map { list.number(at: 8 + 8 * $0, as: UInt64.self) }
    }
}

enum NodeFlags {
    static let onOverflowPages: UInt16 = 0x01
    /// The value is the row of a named database.
    static let tree: UInt16 = 0x02
}
