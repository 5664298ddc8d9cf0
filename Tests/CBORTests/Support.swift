import CBOR
import Foundation

/// The seed of the random tests: `CBOR_TEST_SEED`, or a fixed one.
let testSeed = ProcessInfo.processInfo.environment["CBOR_TEST_SEED"].flatMap(UInt64.init) ?? 0x5eed_cb0e

func hex(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

func bytes(hex text: String) -> [UInt8] {
    let digits = text.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

func encoded(_ value: some Encodable) throws -> String {
    hex(try CBOREncoder().encode(value))
}

func decoded<Value: Decodable>(_ type: Value.Type = Value.self, _ text: String) throws -> Value {
    try CBORDecoder().decode(type, from: bytes(hex: text))
}

func roundTripped<Value: Codable>(_ value: Value) throws -> Value {
    try CBORDecoder().decode(Value.self, from: CBOREncoder().encode(value))
}

/// The coding path of the error that a decoding throws, or nil if it throws no `DecodingError`.
func decodingPath<Value: Decodable>(_ type: Value.Type, _ text: String) -> [String]? {
    do {
        _ = try decoded(type, text)
        return nil
    } catch let error as DecodingError {
        switch error {
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .keyNotFound(_, let context),
            .dataCorrupted(let context):
            return context.codingPath.map(\.stringValue)
        @unknown default: return nil
        }
    } catch {
        return nil
    }
}

/// True if the bytes are refused as corrupted data.
func isCorrupted<Value: Decodable>(_ type: Value.Type, _ text: String) -> Bool {
    do {
        _ = try decoded(type, text)
        return false
    } catch DecodingError.dataCorrupted {
        return true
    } catch {
        return false
    }
}

func isMismatch<Value: Decodable>(_ type: Value.Type, _ text: String) -> Bool {
    do {
        _ = try decoded(type, text)
        return false
    } catch DecodingError.typeMismatch {
        return true
    } catch {
        return false
    }
}
