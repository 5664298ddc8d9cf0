/// Shows CBOR to people as JSON.
///
/// The result is always valid JSON, but what JSON lacks is shown by stand-ins, so it cannot be turned back for certain:
///
/// | item | shown as |
/// |---|---|
/// | integer of any size, bignum up to 128 bits | a number, all digits |
/// | byte string | `{"$bytes": "0a0bff"}`, in hexadecimal |
/// | NaN and infinities | `"NaN"`, `"Infinity"`, `"-Infinity"` |
/// | undefined | `{"$simple": "undefined"}` |
/// | any other tag | `{"$tag": 1, "value": …}` |
/// | a map key that is not text | its JSON, without spaces, as text: `"5"`, `"[1,2]"` |
/// | such a key inside of such a key | its bytes: `"$cbor 05"`; escaped at each level, text would double at each |
/// | a key that would then occur twice in an object | with `#2`, `#3` behind it |
///
/// Entries are in the order of their encoded keys if the input is deterministic.
public enum CBORDiagnostic {
    /// The JSON for one CBOR item.
    ///
    /// - Parameters:
    ///   - bytes: the item.
    ///   - pretty: whether to break lines and indent by two spaces, or to write everything on one line.
    ///   - limits: what the input may cost.
    /// - Throws: `DecodingError` if the bytes are not one valid item.
    public static func json(
        _ bytes: [UInt8],
        pretty: Bool = false,
        limits: CBORDecoder.Limits = CBORDecoder.Limits()
    ) throws -> String {
        var decoder = CBORDecoder()
        decoder.limits = limits
        var printer = JSONPrinter(isPretty: pretty)
        printer.print(try decoder.decode(CBORValue.self, from: bytes))
        return printer.output
    }
}

/// Writes one item as JSON.
private struct JSONPrinter {
    let isPretty: Bool
    /// Whether what it prints becomes the text of a key.
    private let isKey: Bool
    var output = ""
    private var indentation = 0

    init(isPretty: Bool, isKey: Bool = false) {
        self.isPretty = isPretty
        self.isKey = isKey
    }

    mutating func print(_ value: CBORValue) {
        switch value {
        case .unsigned(let argument): output += String(argument)
        case .negative(let argument): output += String(-1 - Int128(argument))
        case .bytes(let bytes): printObject([("$bytes", .text(Self.hexadecimal(bytes)))])
        case .text(let text): print(text: text)
        case .array(let elements): printArray(elements)
        case .map(let entries): printObject(named(entries))
        case .tagged(let tag, let content):
            if let bignum = Self.bignum(tag, content) {
                output += bignum
            } else {
                printObject([("$tag", .unsigned(tag)), ("value", content)])
            }
        case .bool(let flag): output += flag ? "true" : "false"
        case .null: output += "null"
        case .undefined: printObject([("$simple", .text("undefined"))])
        case .float(let number): print(number)
        }
    }

    private mutating func print(_ number: Double) {
        if number.isNaN {
            output += "\"NaN\""
        } else if number.isInfinite {
            output += number < 0 ? "\"-Infinity\"" : "\"Infinity\""
        } else {
            output += number.description
        }
    }

    private mutating func printArray(_ elements: [CBORValue]) {
        printList(elements, open: "[", close: "]") { printer, element in printer.print(element) }
    }

    private mutating func printObject(_ members: [(name: String, value: CBORValue)]) {
        printList(members, open: "{", close: "}") { printer, member in
            printer.print(text: member.name)
            printer.output += printer.isPretty ? ": " : ":"
            printer.print(member.value)
        }
    }

    private mutating func printList<Element>(
        _ elements: [Element],
        open: String,
        close: String,
        _ printElement: (inout JSONPrinter, Element) -> Void
    ) {
        output += open
        indentation += 1
        for (index, element) in elements.enumerated() {
            if index > 0 { output += "," }
            breakLine()
            printElement(&self, element)
        }
        indentation -= 1
        if !elements.isEmpty { breakLine() }
        output += close
    }

    private mutating func breakLine() {
        guard isPretty else { return }
        output += "\n"
        output += String(repeating: "  ", count: indentation)
    }

    /// Whether a terminal that the text is printed on would do something instead of showing it: control characters, of
    /// both kinds, and what ends lines or overrides the direction of reading.
    private static func isObeyed(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7f..<0xa0, 0x061c, 0x200e, 0x200f, 0x2028...0x202e, 0x2066...0x2069: true
        default: false
        }
    }

    private mutating func print(text: String) {
        output += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": output += "\\\""
            case "\\": output += "\\\\"
            case "\n": output += "\\n"
            case "\r": output += "\\r"
            case "\t": output += "\\t"
            default:
                if Self.isObeyed(scalar) {
                    let (high, low) = scalar.value.quotientAndRemainder(dividingBy: 256)
                    output += "\\u" + Self.hexadecimal([UInt8(high), UInt8(low)])
                } else {
                    output.unicodeScalars.append(scalar)
                }
            }
        }
        output += "\""
    }

    /// Names for the entries of a map, each used once; text keys keep theirs.
    private func named(_ entries: [CBORValue.Entry]) -> [(name: String, value: CBORValue)] {
        var used = Set<[UInt8]>()
        for entry in entries {
            if case .text(let name) = entry.key { used.insert(Array(name.utf8)) }
        }
        return entries.map { entry in
            if case .text(let name) = entry.key { return (name, entry.value) }
            let text = text(ofKey: entry.key)
            var name = text
            var number = 2
            while !used.insert(Array(name.utf8)).inserted {
                name = "\(text)#\(number)"
                number += 1
            }
            return (name, entry.value)
        }
    }

    private func text(ofKey key: CBORValue) -> String {
        // A key that was decoded can be encoded.
        if isKey { return "$cbor " + Self.hexadecimal((try? CBOREncoder().encode(key)) ?? []) }
        var printer = JSONPrinter(isPretty: false, isKey: true)
        printer.print(key)
        return printer.output
    }

    private static func hexadecimal(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 0xf)]] }, as: UTF8.self)
    }

    private static func bignum(_ tag: UInt64, _ content: CBORValue) -> String? {
        guard case .bytes(let bytes) = content else { return nil }
        let digits = bytes.drop { $0 == 0 }
        guard digits.count <= 16 else { return nil }
        let magnitude = digits.reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
        switch tag {
        case TagNumber.positiveBignum: return String(magnitude)
        case TagNumber.negativeBignum:
            let (sum, overflow) = magnitude.addingReportingOverflow(1)
            return overflow ? "-340282366920938463463374607431768211456" : "-\(sum)"
        default: return nil
        }
    }
}
