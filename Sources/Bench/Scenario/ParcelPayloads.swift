// What results carry: JSON objects of one exact size that look like a parcel's fields. Made once a loop, used in turn.
// Limit: `count` different objects.

import Reactor

struct ParcelPayloads {
    static let count = 64
    /// The smallest object that can be made to measure.
    static let bytesMin = 8

    private static let names = [
        "owner_name", "owner_address", "assessed_value", "land_use", "legal_description", "tax_year", "deed_book",
        "lot_area", "school_district", "last_sale_price", "improvement_value", "zoning",
    ]
    private static let words = [
        "LOT", "BLOCK", "SUBDIVISION", "TRACT", "MAIN ST", "FORT COLLINS", "CO", "RESIDENTIAL", "TRUST", "LLC",
    ]

    let objects: [[UInt8]]

    /// - Parameter bytes: of each object, at least `bytesMin`.
    init(bytes: Int, seed: UInt64) {
        var random = RandomBits(seed: seed)
        objects = (0..<Self.count).map { _ in Self.object(bytes, &random) }
    }

    private static func object(_ bytes: Int, _ random: inout RandomBits) -> [UInt8] {
        precondition(bytes >= bytesMin, "a payload of \(bytes) bytes")
        var text: [UInt8] = Array("{".utf8)
        for field in 0... {
            let member = member(field, &random)
            // The last member fills what remains: `"n":""` and the bracket are seven bytes.
            if text.count + member.utf8.count + bytesMin > bytes { break }
            text += Array(member.utf8)
        }
        text += Array(#""n":""#.utf8)
        while text.count < bytes - 2 { text.append(UInt8(ascii: "a") + UInt8(random.below(26))) }
        return text + Array("\"}".utf8)
    }

    private static func member(_ field: Int, _ random: inout RandomBits) -> String {
        let name = "\(names[field % names.count])_\(field / names.count)"
        if field % 3 == 0 { return "\"\(name)\":\(random.below(1_000_000)).\(10 + random.below(90))," }
        let value = "\(words[random.below(words.count)]) \(random.below(10_000)) \(words[random.below(words.count)])"
        return "\"\(name)\":\"\(value)\","
    }
}
