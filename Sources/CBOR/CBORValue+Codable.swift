extension CBORValue: Codable {
    /// Reads the item at the decoder's place as it is.
    ///
    /// - Throws: `DecodingError` if the decoder is not one of `CBORDecoder`.
    public init(from decoder: any Decoder) throws {
        guard let node = decoder as? DecoderNode else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "CBORValue can only be read by CBORDecoder")
            )
        }
        self = try node.session.value(at: node.position, node.codingPath)
    }

    /// Writes the item at the encoder's place.
    ///
    /// - Throws: `EncodingError` if the encoder is not one of `CBOREncoder`, if the item is nested too deeply, or if it
    ///   holds a map with the same key twice.
    public func encode(to encoder: any Encoder) throws {
        guard let node = encoder as? EncoderNode else {
            throw EncodingError.invalidValue(
                self,
                .init(codingPath: encoder.codingPath, debugDescription: "CBORValue can only be written by CBOREncoder")
            )
        }
        node.become(.single)
        try node.beginSingleValue()
        try node.output.pointee.write(self, depth: node.depth, limit: node.session.depthMax) {
            node.invalid($0, value: self)
        }
    }
}

extension Writer {
    /// Writes an item in its deterministic form.
    ///
    /// - Parameters:
    ///   - depth: how many containers enclose the item.
    ///   - limit: the largest depth of a container.
    ///   - invalid: makes the error for an item that cannot be written.
    mutating func write<Failure: Error>(
        _ value: CBORValue,
        depth: Int,
        limit: Int,
        invalid: (String) -> Failure
    ) throws(Failure) {
        switch value {
        case .unsigned(let argument): writeHead(MajorType.unsigned, argument)
        case .negative(let argument): writeHead(MajorType.negative, argument)
        case .bytes(let string): write(byteString: string)
        case .text(let string): write(string)
        case .bool(let flag): write(flag)
        case .null: writeNull()
        case .undefined: bytes.append(InitialByte.undefined)
        case .float(let number): write(number)
        case .array(let elements):
            guard depth < limit else { throw invalid("nested deeper than \(limit) levels") }
            writeHead(MajorType.array, UInt64(elements.count))
            for element in elements { try write(element, depth: depth + 1, limit: limit, invalid: invalid) }
        case .map(let entries):
            guard depth < limit else { throw invalid("nested deeper than \(limit) levels") }
            try write(entries, depth: depth + 1, limit: limit, invalid: invalid)
        case .tagged(let tag, let content):
            guard depth < limit || content.isBytes(behind: tag) else {
                throw invalid("nested deeper than \(limit) levels")
            }
            writeHead(MajorType.tag, tag)
            try write(content, depth: depth + 1, limit: limit, invalid: invalid)
        }
    }

    private mutating func write<Failure: Error>(
        _ map: [CBORValue.Entry],
        depth: Int,
        limit: Int,
        invalid: (String) -> Failure
    ) throws(Failure) {
        let start = openContainer()
        let firstEntry = entries.count
        for entry in map {
            let index = beginKey()
            try write(entry.key, depth: depth, limit: limit, invalid: invalid)
            endKey(index)
            try write(entry.value, depth: depth, limit: limit, invalid: invalid)
        }
        let hasDuplicates = closeMap(at: start, firstEntry: firstEntry)
        if hasDuplicates { throw invalid("a map with the same key twice") }
    }
}

extension CBORValue {
    /// True for the content of a bignum, whose tag counts as no level.
    fileprivate func isBytes(behind tag: UInt64) -> Bool {
        guard case .bytes = self else { return false }
        return tag == TagNumber.positiveBignum || tag == TagNumber.negativeBignum
    }
}

extension DecodingSession {
    /// The item at a position, tags included.
    func value(at position: Int, _ path: @autoclosure () -> [any CodingKey]) throws -> CBORValue {
        var position = position
        return try nextValue(&position, path())
    }

    private func nextValue(_ position: inout Int, _ path: @autoclosure () -> [any CodingKey]) throws -> CBORValue {
        let start = position
        let head = Head.trusted(bytes, at: position)
        position = head.next
        switch head.major {
        case MajorType.unsigned: return .unsigned(head.argument)
        case MajorType.negative: return .negative(head.argument)
        case MajorType.bytes, MajorType.text:
            try charge(Int(head.argument), path())
            let content = position..<position + Int(head.argument)
            position = content.upperBound
            return head.major == MajorType.bytes ? .bytes(Array(bytes[content])) : .text(bytes.text(content))
        case MajorType.array:
            let count = Int(head.argument)
            try charge(count * MemoryLayout<CBORValue>.stride, path())
            var elements: [CBORValue] = []
            elements.reserveCapacity(count)
            for _ in 0..<count { elements.append(try nextValue(&position, path())) }
            return .array(elements)
        case MajorType.map:
            let count = Int(head.argument)
            try charge(count * MemoryLayout<CBORValue.Entry>.stride, path())
            var entries: [CBORValue.Entry] = []
            entries.reserveCapacity(count)
            for _ in 0..<count {
                let key = try nextValue(&position, path())
                entries.append(CBORValue.Entry(key, try nextValue(&position, path())))
            }
            return .map(entries)
        case MajorType.tag:
            try charge(2 * MemoryLayout<CBORValue>.stride, path())
            return .tagged(head.argument, try nextValue(&position, path()))
        default:
            if let number = head.float { return .float(number) }
            if let number = head.part { return .bytes(try array(ofPart: number, path())) }
            return simpleValue(bytes[start])
        }
    }

    private func simpleValue(_ initial: UInt8) -> CBORValue {
        switch initial {
        case InitialByte.falseValue: .bool(false)
        case InitialByte.trueValue: .bool(true)
        case InitialByte.null: .null
        default: .undefined
        }
    }
}
