import CBOR
import Testing

@Suite struct NestedOptionalTests {
    struct Properties: Codable, Equatable {
        var one: Int?
        var two: Int??
        var three: Int???
        var list: [Int??]
    }

    @Test func `Top-level optionals round-trip`() throws {
        #expect(try encoded(Int?.none) == "f6")
        #expect(try roundTripped(Int?.none) == nil)
        #expect(try roundTripped(Int?.some(5)) == 5)
        #expect(try roundTripped(Inner?.none) == nil)
    }

    @Test func `Every level of nested optionals round-trips`() throws {
        let values: [Int????] = [.none, .some(.none), .some(.some(.none)), .some(.some(.some(.none))), 5]
        for value in values {
            #expect(try roundTripped(value) == value)
            #expect(try roundTripped([value]) == [value])
            #expect(try roundTripped(["k": value]) == ["k": value])
            #expect(try roundTripped(Wrapper(value)) == Wrapper(value))
        }
        #expect(try roundTripped(values) == values)
    }

    @Test func `A nil inside an optional is null behind tag 55799, and other values look as without`() throws {
        #expect(try encoded(Int??.none) == "f6")
        #expect(try encoded(Int??.some(.none)) == "d9d9f7f6")
        #expect(try encoded(Int???.some(.some(.none))) == "d9d9f7d9d9f7f6")
        #expect(try encoded(Int??.some(.some(5))) == "05")
        #expect(try encoded([[Int?]??.some(.some([nil]))]) == "8181f6")
        #expect(try decoded(Int?.self, "d9d9f7f6") == nil)
        #expect(try decoded(Int??.self, "d9d9f7d9d9f7d9d9f7f6") == .some(.none))
    }

    @Test func `Nested optional properties round-trip and nil ones are left out`() throws {
        let ones: [Int?] = [nil, 1]
        let twos: [Int??] = [.none, .some(.none), 2]
        let threes: [Int???] = [.none, .some(.none), .some(.some(.none)), 3]
        for one in ones {
            for two in twos {
                for three in threes {
                    let value = Properties(one: one, two: two, three: three, list: twos)
                    #expect(try roundTripped(value) == value)
                }
            }
        }
        let empty = Properties(one: nil, two: nil, three: nil, list: [])
        #expect(try encoded(empty) == "a1646c69737480")
    }
}
