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
        let members = try JSONMembers<7>(
            text, ["platform", "state", "county", "parcel_id", "content_type", "scraped_at", "task_id"])
        _ = try members[0].requiredName("platform")
        _ = try members[1].requiredName("state")
        _ = try members[2].requiredName("county")
        _ = try members[3].requiredName("parcel_id")
        _ = try members[4].optionalString("content_type")
        _ = try members[5].requiredString("scraped_at")
        _ = try members[5].optionalTimestamp("scraped_at", in: text)
        _ = try members[6].optionalString("task_id")
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
