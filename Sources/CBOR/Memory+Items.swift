// Items that hold no others, in deterministic form.
extension Memory<UInt8> {
    /// How many bytes the head with an argument takes.
    static func headWidth(_ argument: UInt64) -> Int {
        switch argument {
        case ..<24: 1
        case ...0xff: 2
        case ...0xffff: 3
        case ...0xffff_ffff: 5
        default: 9
        }
    }

    @inline(__always)
    mutating func writeHead(_ major: UInt8, _ argument: UInt64) {
        reserve(9)
        let start = count
        if argument < 24 {
            base[start] = major << 5 | UInt8(truncatingIfNeeded: argument)
            extend(by: 1)
        } else {
            extend(by: Self.headWidth(argument))
            setHead(major, argument, at: start)
        }
    }

    /// Writes a head over the bytes from an index on, which must be as many as it takes.
    @inline(__always)
    mutating func setHead(_ major: UInt8, _ argument: UInt64, at index: Int) {
        let initial = major << 5
        if argument < 24 {
            self[index] = initial | UInt8(truncatingIfNeeded: argument)
        } else if argument <= 0xff {
            self[index] = initial | 24
            self[index + 1] = UInt8(truncatingIfNeeded: argument)
        } else {
            setWideHead(initial, argument, at: index)
        }
    }

    private mutating func setWideHead(_ initial: UInt8, _ argument: UInt64, at index: Int) {
        let additional: UInt8 = argument <= 0xffff ? 25 : argument <= 0xffff_ffff ? 26 : 27
        self[index] = initial | additional
        let width = 1 << Int(additional - 24)
        setBytes(argument, width: width, at: index + 1)
    }

    /// Writes the low bytes of a number, the highest of them first.
    @inline(__always)
    private mutating func setBytes(_ value: UInt64, width: Int, at index: Int) {
        assert(index + width <= count)
        let pointer = UnsafeMutableRawPointer(base + index)
        switch width {
        case 2: pointer.storeBytes(of: UInt16(truncatingIfNeeded: value).bigEndian, as: UInt16.self)
        case 4: pointer.storeBytes(of: UInt32(truncatingIfNeeded: value).bigEndian, as: UInt32.self)
        default: pointer.storeBytes(of: value.bigEndian, as: UInt64.self)
        }
    }

    mutating func write(_ value: Bool) {
        append(value ? InitialByte.trueValue : InitialByte.falseValue)
    }

    @inline(__always)
    mutating func write(_ value: String) {
        let isWritten: Void? = value.utf8.withContiguousStorageIfAvailable { text in
            writeHead(MajorType.text, UInt64(text.count))
            append(contentsOf: text)
        }
        if isWritten == nil { writeSlowly(value) }
    }

    /// Writes a string that is not stored as UTF-8.
    @inline(never)
    private mutating func writeSlowly(_ value: String) {
        writeHead(MajorType.text, UInt64(value.utf8.count))
        for byte in value.utf8 { append(byte) }
    }

    mutating func write(byteString value: UnsafeBufferPointer<UInt8>) {
        writeHead(MajorType.bytes, UInt64(value.count))
        append(contentsOf: value)
    }

    /// Writes an integer of any width; magnitudes beyond 64 bits become a bignum.
    @inline(__always)
    mutating func write(_ value: some FixedWidthInteger) {
        let isNegative = value < 0
        let argument = isNegative ? ~value : value
        if let small = UInt64(exactly: argument) {
            writeHead(isNegative ? MajorType.negative : MajorType.unsigned, small)
        } else {
            writeBignum(UInt128(truncatingIfNeeded: argument), isNegative: isNegative)
        }
    }

    private mutating func writeBignum(_ argument: UInt128, isNegative: Bool) {
        writeHead(MajorType.tag, isNegative ? TagNumber.negativeBignum : TagNumber.positiveBignum)
        let width = (128 - argument.leadingZeroBitCount + 7) / 8
        writeHead(MajorType.bytes, UInt64(width))
        for index in stride(from: width - 1, through: 0, by: -1) {
            append(UInt8(truncatingIfNeeded: argument >> UInt128(index * 8)))
        }
    }

    /// Writes the shortest of the three float formats that keeps the value; every NaN becomes 0xf97e00.
    mutating func write(_ value: Double) {
        if value.isNaN { return write(initial: InitialByte.half, 0x7e00, width: 2) }
        let narrow = Float(value)
        guard Double(narrow) == value else {
            return write(initial: InitialByte.double, value.bitPattern, width: 8)
        }
        if let half = HalfPrecision.exactBits(narrow) {
            write(initial: InitialByte.half, UInt64(half), width: 2)
        } else {
            write(initial: InitialByte.single, UInt64(narrow.bitPattern), width: 4)
        }
    }

    @inline(__always)
    private mutating func write(initial: UInt8, _ bits: UInt64, width: Int) {
        reserve(9)
        let start = count
        extend(by: 1 + width)
        self[start] = initial
        setBytes(bits, width: width, at: start + 1)
    }
}
