// Cuts received bytes into replies with hiredis' parser over an arena of our own (creactor/redis.h).
// One connection owns each reader. Limits: a reply of `replyBytesMax`, nesting of 7; nothing is allocated once the
// arena has its working size.

import CReactor

final class RedisReader {
    static let replyBytesMax = 64 * 1024 * 1024

    enum Outcome: Equatable {
        /// `reply` lends it until the next `next` or `reset`.
        case reply
        case incomplete
        case failed(String)
    }

    // Not nil and freed by deinit only.
    private let reader: OpaquePointer

    init(replyBytesMax: Int = RedisReader.replyBytesMax) {
        guard let reader = cr_redis_reader_create(replyBytesMax) else { preconditionFailure("no memory for a reader") }
        self.reader = reader
    }

    deinit { cr_redis_reader_free(reader) }

    /// Forgets everything: for a new connection.
    func reset() { precondition(cr_redis_reader_reset(reader) == 0, "no memory for a reader") }

    func feed(_ bytes: RawSpan) {
        let status = bytes.withUnsafeBytes { cr_redis_reader_feed(reader, $0.baseAddress, $0.count) }
        precondition(status == 0, "no memory for a reply")
    }

    func next() -> Outcome {
        switch cr_redis_reader_next(reader) {
        case 1: .reply
        case 0: .incomplete
        case -EMSGSIZE: .failed("a reply larger than the limit")
        default: .failed("bytes that are not RESP")
        }
    }

    var reply: RedisReply {
        @_lifetime(borrow self)
        get {
            let reply = RedisReply(nodes: cr_redis_reader_nodes(reader), arena: cr_redis_reader_bytes(reader), index: 0)
            return _overrideLifetime(reply, borrowing: self)
        }
    }

    /// Bytes that the arena holds.
    var arenaBytes: Int { Int(cr_redis_reader_arena_bytes(reader)) }
}
