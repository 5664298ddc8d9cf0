// The most frequent values, if the whole input is one of them in its usual form. Where these are nil the input can
// still be the same value in another form, or an error, which the long way finds out.
extension Input {
    var plainBoolean: Bool? {
        guard count == 1 else { return nil }
        if self[0] == InitialByte.trueValue { return true }
        return self[0] == InitialByte.falseValue ? false : nil
    }

    var plainInteger: Int? {
        guard count > 0, self[0] >> 5 <= MajorType.negative else { return nil }
        let additional = self[0] & 0x1f
        let argument: Int
        if count == 1 {
            guard additional < 24 else { return nil }
            argument = Int(additional)
        } else {
            let width = count - 1
            guard additional >= 24, additional <= 27, 1 << Int(additional - 24) == width,
                let number = Int(exactly: number(at: 1, width: width))
            else { return nil }
            argument = number
        }
        return self[0] >> 5 == MajorType.unsigned ? argument : ~argument
    }

    /// A string of less than 256 bytes.
    var plainString: String? {
        guard count > 0, self[0] >> 5 == MajorType.text else { return nil }
        let additional = Int(self[0] & 0x1f)
        let start = additional == 24 ? 2 : 1
        guard additional <= 24, count >= start, count - start == (additional == 24 ? Int(self[1]) : additional) else {
            return nil
        }
        let text = self[start..<count]
        return text.isText ? text.checkedText : nil
    }
}
