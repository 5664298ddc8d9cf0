/// Conversions between `Float` and the 16 bits of IEEE 754 half precision, done on bits so that every platform agrees.
enum HalfPrecision {
    /// The half-precision bits of a value that is not NaN, or nil if the value would lose anything.
    static func exactBits(_ value: Float) -> UInt16? {
        let bits = value.bitPattern
        let sign = UInt16(truncatingIfNeeded: bits >> 16) & 0x8000
        let exponent = Int((bits >> 23) & 0xff) - 127
        let fraction = bits & 0x7f_ffff
        if bits & 0x7fff_ffff == 0 { return sign }
        if exponent == 128 { return fraction == 0 ? sign | 0x7c00 : nil }
        if exponent >= -14 && exponent <= 15 {
            guard fraction & 0x1fff == 0 else { return nil }
            return sign | UInt16(exponent + 15) << 10 | UInt16(fraction >> 13)
        }
        guard exponent >= -24 && exponent < -14 else { return nil }
        let significand = fraction | 0x80_0000
        let shift = UInt32(-exponent - 1)
        guard significand & ((1 << shift) - 1) == 0 else { return nil }
        return sign | UInt16(significand >> shift)
    }

    /// The value of half-precision bits.
    static func value(_ bits: UInt16) -> Double {
        let exponent = Int(bits >> 10) & 0x1f
        let fraction = Double(bits & 0x3ff)
        let magnitude: Double
        switch exponent {
        case 0: magnitude = fraction * 0x1p-24
        case 31: magnitude = fraction == 0 ? .infinity : .nan
        default: magnitude = (1 + fraction / 1024) * Double(sign: .plus, exponent: exponent - 15, significand: 1)
        }
        return bits & 0x8000 == 0 ? magnitude : -magnitude
    }
}
