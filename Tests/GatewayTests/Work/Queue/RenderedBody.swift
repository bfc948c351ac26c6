// A body as the gateway renders it, for tests.

import Reactor

@testable import Gateway

func renderedBody(platform: String) -> String {
    var buffer = ByteBuffer()
    let taskID = Array(#""t""#.utf8)
    let type = Array(#""scrape""#.utf8)
    let target = Array(#"{"n":1.0}"#.utf8)
    let createdAt = Array(#""2026-02-04T10:00:00Z""#.utf8)
    TaskBody.append(
        to: &buffer, priority: 2, tier: 3, platform: platform, taskIDJSON: taskID.span.bytes,
        typeJSON: type.span.bytes, targetJSON: target.span.bytes, createdAtJSON: createdAt.span.bytes)
    return buffer.bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
}
