// The `metadata` part of an upload: checked, then kept as it was sent. Pure.
// Source: `POST /internal/raw-files` of the HTTP contract, section 2.

import Reactor

enum RawFileMetadata {
    /// Checks the fields that the contract names; others are kept unread.
    /// - Throws: `.syntax` for what is not JSON, `.schema` with the field for JSON of another shape.
    static func check(_ text: borrowing ByteBuffer) throws(JSONFailure) {
        do throws(JSONFailure) {
            try read(text.bytes)
        } catch {
            throw JSONReader.failure(error, of: text.bytes)
        }
    }

    private static func read(_ text: RawSpan) throws(JSONFailure) {
        var reader = JSONReader(text)
        var (platform, state, county) = (JSONValue.absent, JSONValue.absent, JSONValue.absent)
        var (parcelID, contentType) = (JSONValue.absent, JSONValue.absent)
        var (scrapedAt, taskID) = (JSONValue.absent, JSONValue.absent)
        var more = try reader.openObject()
        while more {
            let key = try reader.key()
            let value = try reader.value()
            if reader.key(key, is: "platform") {
                platform = value
            } else if reader.key(key, is: "state") {
                state = value
            } else if reader.key(key, is: "county") {
                county = value
            } else if reader.key(key, is: "parcel_id") {
                parcelID = value
            } else if reader.key(key, is: "content_type") {
                contentType = value
            } else if reader.key(key, is: "scraped_at") {
                scrapedAt = value
            } else if reader.key(key, is: "task_id") {
                taskID = value
            }
            more = try reader.moreMembers()
        }
        try reader.end()
        _ = try platform.requiredName("platform")
        _ = try state.requiredName("state")
        _ = try county.requiredName("county")
        _ = try parcelID.requiredName("parcel_id")
        _ = try contentType.optionalString("content_type")
        _ = try scrapedAt.requiredString("scraped_at")
        _ = try scrapedAt.optionalTimestamp("scraped_at", in: text)
        _ = try taskID.optionalString("task_id")
    }

    /// The answer to metadata that was refused: a 422 in any case, for the body around it was well formed.
    static func problem(_ failure: JSONFailure) -> Problem {
        switch failure {
        case .syntax(let syntax):
            return .validation(
                "metadata: not JSON: \(failure.message)",
                [.text("field", "metadata"), .number("offset", syntax.offset)])
        case .schema(let schema):
            let field = schema.field.description
            return .validation(
                "metadata\(field.isEmpty ? ": " : ".")\(failure.message)",
                [.text("field", field.isEmpty ? "metadata" : field)])
        }
    }
}
