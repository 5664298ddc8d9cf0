/// A record as programs have them.
package struct TwentyFields: Codable, Equatable, Sendable {
    var identifier: Int
    var version: Int
    var createdAt: Int
    var changedAt: Int
    var quantity: Int
    var priority: Int8
    var port: UInt16
    var flags: UInt32
    var latitude: Double
    var longitude: Double
    var price: Double
    var weight: Float
    var name: String
    var street: String
    var city: String
    var note: String
    var isActive: Bool
    var isPaid: Bool
    var parent: Int?
    var tags: [String]

    /// A value like others, but for its number.
    package init(number: Int) {
        identifier = 1_000_000 + number
        version = number
        createdAt = 1_700_000_000_000 + number
        changedAt = 1_700_000_360_000 + number
        quantity = number % 7
        priority = Int8(number % 100)
        port = 8080
        flags = 0xffff_0000
        latitude = 52.520008 + Double(number)
        longitude = 13.404954
        price = 19.99
        weight = 1.5
        name = "Ada Lovelace \(number)"
        street = "St James's Square 12"
        city = "London"
        note = "Analytical engines, notes and a longer line of text, with an umlaut: ä"
        isActive = true
        isPaid = number.isMultiple(of: 2)
        parent = number.isMultiple(of: 3) ? nil : number
        tags = ["mathematics", "engine"]
    }
}
