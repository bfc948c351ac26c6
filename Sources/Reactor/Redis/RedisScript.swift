// A Lua script, known to Redis by the SHA-1 of its source. Plain data, shared by all reactors.

import CReactor

/// A script that runs by `EVALSHA`. The client loads its scripts at every connect and again after `NOSCRIPT`, so a
/// script must be idempotent: it can run twice.
public struct RedisScript: Sendable {
    public let source: String
    /// 40 lower-case hexadecimal digits.
    public let sha: String

    public init(_ source: String) {
        self.source = source
        var text = source
        sha = text.withUTF8 { bytes in
            String(unsafeUninitializedCapacity: 40) { digits in
                digits.withMemoryRebound(to: CChar.self) { cr_sha1_hex(bytes.baseAddress, bytes.count, $0.baseAddress) }
                return 40
            }
        }
    }

    func appendSHA(to buffer: inout ByteBuffer) { buffer.argument(sha) }

    func appendLoad(to buffer: inout ByteBuffer) {
        buffer.beginCommand(3)
        buffer.argument("SCRIPT" as StaticString)
        buffer.argument("LOAD" as StaticString)
        buffer.argument(source)
    }
}
